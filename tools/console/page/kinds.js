// The resources of a link: how Belvo lists each, how it is asked for, and how its rows are told from each other.

import { many, money, words } from "/format.js";

/** By its name in the API; `types` are those that have to be asked for apart. */
export const KINDS = {
  transactions: {
    title: "Transactions", path: "/api/transactions/",
    tell: (row) => ({
      day: row.value_date ?? row.accounting_date, text: row.description, note: row.merchant?.name, amount: money(row.amount, row.currency, row.type),
    }),
  },
  invoices: {
    title: "Invoices", path: "/api/invoices/", hasDays: true, types: ["INFLOW", "OUTFLOW"],
    tell: (row) => ({
      day: row.invoice_date, text: row.type === "OUTFLOW" ? `to ${row.receiver_name}` : `from ${row.sender_name}`, note: row.status,
      amount: money(row.total_amount, row.currency),
    }),
  },
  employments: {
    title: "Employments", path: "/api/br/employments/",
    tell: (row) => ({ day: row.start_date, text: row.employer_data?.name, note: row.occupations?.[0]?.name }),
  },
  "employment-records": {
    title: "Employment records", path: "/api/employment-records/",
    tell: (row) => ({ day: row.report_date, text: row.personal_data?.official_name, note: many(row.employment_records?.length ?? 0, "employment") }),
  },
  "financial-statements": {
    title: "Financial statements", path: "/api/financial-statements/",
    tell: (row) => ({ day: row.year, text: `Statement of ${row.year}`, note: "net income", amount: money(row.income_statement?.net_income, row.currency) }),
  },
};

/** What a row says, in a line: day, text, note and amount, as far as it has them. */
export function summary(resource, row) {
  const told = KINDS[resource]?.tell(row) ?? {};
  return { ...told, day: told.day ?? "", text: told.text || "no description", amount: told.amount ?? "" };
}

/** A resource's name as people read it. */
export const titleOf = (resource) => KINDS[resource]?.title ?? words(resource);

/** Whether this is the path of a listing of rows at Belvo. */
export const isListing = (path) => Object.values(KINDS).some((kind) => kind.path === path);
