//! The words of generated rows: Portuguese as banks print it, with accents, dashes and empty
//! strings. All names and companies are invented.

/// Operation types of a checking or savings account, each with a description that fits.
pub(crate) const OPERATIONS: [(&str, &str); 12] = [
    ("PIX", "PIX ENVIADO - JOÃO DA SILVA"),
    ("PIX", "Pix recebido – Conceição Araújo"),
    ("PIX", "PIX QR CODE PADARIA SÃO JOSÉ"),
    (
        "TRANSFERENCIA_MESMA_INSTITUICAO",
        "Transferência entre contas",
    ),
    ("TED", "TED RECEBIDA 341 0001 FICTÍCIA COMÉRCIO LTDA"),
    ("BOLETO", "PAGTO BOLETO ENERGIA ELÉTRICA DO SERTÃO S.A."),
    (
        "CONVENIO_ARRECADACAO",
        "Água e Saneamento – débito automático",
    ),
    ("CARTAO", "COMPRA DÉBITO MERCADO TRÊS IRMÃOS"),
    ("SAQUE", "SAQUE 24H AVENIDA PAULISTA 1000 SÃO PAULO BR"),
    (
        "FOLHA_PAGAMENTO",
        "CRÉDITO DE SALÁRIO – AÇÚCAR & CAFÉ INDÚSTRIA",
    ),
    ("TARIFA_SERVICOS_AVULSOS", "TARIFA PACOTE SERVIÇOS"),
    (
        "RENDIMENTO_APLIC_FINANCEIRA",
        "REMUNERAÇÃO APLICAÇÃO AUTOMÁTICA",
    ),
];

/// Descriptions of card purchases.
pub(crate) const PURCHASES: [&str; 8] = [
    "FARMÁCIA BOA SAÚDE 0042",
    "POSTO IPÊ AMARELO",
    "LIVRARIA CORAÇÃO *ONLINE",
    "SUPERMERCADO PÃO & CIA",
    "Restaurante Vovó Zezé — BH",
    "STREAMING MÚSICA ASSINATURA",
    "CAFÉ ☕ ESQUINA",
    "PASSAGEM AÉREA GRU/REC PARC 03/10",
];

/// Belvo's categories, each with one of its subcategories.
pub(crate) const CATEGORIES: [(&str, Option<&str>); 12] = [
    ("Bills & Utilities", Some("Electricity & Energy")),
    ("Food & Groceries", Some("Groceries")),
    ("Food & Groceries", Some("Restaurants")),
    ("Transport & Travel", Some("Gas")),
    ("Transport & Travel", Some("Flights")),
    ("Home & Life", Some("Pharmacies")),
    ("Income & Payments", Some("Salary")),
    ("Online Platforms & Leisure", Some("Movie & Audio")),
    ("Personal Shopping", Some("Books & News")),
    ("Withdrawal & ATM", None),
    ("Transfers", None),
    ("Unknown", None),
];

/// Merchants: name, logo and website.
pub(crate) const MERCHANTS: [(&str, Option<&str>, Option<&str>); 4] = [
    (
        "Farmácia Boa Saúde",
        Some("https://logo.example/boa-saude"),
        Some("https://boa-saude.example"),
    ),
    ("Posto Ipê Amarelo", None, None),
    (
        "Livraria Coração",
        None,
        Some("https://livraria-coracao.example"),
    ),
    ("", Some("https://logo.example/sem-nome"), None),
];

/// Merchant category codes (ISO 18245).
pub(crate) const MCC: [u16; 6] = [5_411, 5_541, 5_812, 5_912, 5_942, 4_511];
