//! The widget's texts in the languages of Belvo's widget for Brazil.

/// The languages, in the order of the texts below.
const LOCALES: [&str; 3] = ["pt", "en", "es"];

/// The name of each text, with the text in Portuguese, English and Spanish.
const WORDS: [(&str, [&str; 3]); 20] = [
    (
        "title",
        [
            "Conectar uma conta",
            "Connect an account",
            "Conectar una cuenta",
        ],
    ),
    (
        "standin",
        [
            "Ambiente de desenvolvimento: esta página substitui o widget da Belvo. \
             Nenhum banco é contatado e todos os dados são inventados.",
            "Development only: this page stands in for Belvo's widget. \
             No bank is contacted and all data is invented.",
            "Entorno de desarrollo: esta página sustituye al widget de Belvo. \
             No se contacta a ningún banco y todos los datos son inventados.",
        ],
    ),
    ("whose", ["Dados de", "Account holder", "Datos de"]),
    (
        "nobody",
        [
            "Titular não informado",
            "Not specified",
            "Titular no indicado",
        ],
    ),
    ("purpose", ["Finalidade", "Purpose", "Finalidad"]),
    (
        "no_purpose",
        ["Não informada", "Not specified", "No indicada"],
    ),
    ("mode", ["Acesso", "Access", "Acceso"]),
    (
        "recurrent",
        [
            "Contínuo, atualizado com o tempo",
            "Ongoing, kept up to date",
            "Continuo, actualizado con el tiempo",
        ],
    ),
    ("single", ["Uma única vez", "Once", "Una sola vez"]),
    ("bank", ["Seu banco", "Your bank", "Tu banco"]),
    (
        "update",
        [
            "Renovar o acesso a este banco",
            "Renew access to this bank",
            "Renovar el acceso a este banco",
        ],
    ),
    ("connect", ["Conectar", "Connect", "Conectar"]),
    ("cancel", ["Cancelar", "Cancel", "Cancelar"]),
    (
        "fail",
        [
            "Simular falha no login",
            "Make the login fail",
            "Simular un fallo de acceso",
        ],
    ),
    (
        "refused",
        [
            "Não é possível continuar",
            "Cannot continue",
            "No se puede continuar",
        ],
    ),
    (
        "bad_token",
        [
            "O token de acesso é inválido, expirou ou já foi usado.",
            "The access token is invalid, has expired or was already used.",
            "El token de acceso no es válido, caducó o ya se usó.",
        ],
    ),
    (
        "bad_form",
        [
            "O formulário está incompleto.",
            "The form is incomplete.",
            "El formulario está incompleto.",
        ],
    ),
    (
        "back",
        [
            "Voltar ao aplicativo",
            "Back to the application",
            "Volver a la aplicación",
        ],
    ),
    (
        "done",
        ["Conta conectada", "Account connected", "Cuenta conectada"],
    ),
    (
        "left",
        [
            "Nenhuma conta foi conectada",
            "No account was connected",
            "No se conectó ninguna cuenta",
        ],
    ),
];

/// One language of the widget.
#[derive(Clone, Copy)]
pub(crate) struct Words(usize);

impl Words {
    /// The language of a `locale` parameter; Portuguese if it is none of the three.
    pub(crate) fn of(locale: &str) -> Self {
        let position = LOCALES.iter().position(|known| *known == locale);
        Self(position.unwrap_or(0))
    }

    /// The code of the language, for `lang` and for the next page.
    pub(crate) fn locale(self) -> &'static str {
        LOCALES[self.0]
    }

    /// The text of this name; empty if there is none.
    pub(crate) fn get(self, name: &str) -> &'static str {
        let text = WORDS.iter().find(|(known, _)| *known == name);
        text.map_or("", |(_, texts)| texts[self.0])
    }
}
