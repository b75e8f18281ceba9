// docs/api.md from the types that packages/weft exports: node tools/gen_api_docs.mjs [--check]
//
// The declarations are TypeScript's own (what a user's editor shows), without bodies and private members; the comments on
// them are the text. --check writes nothing and fails if the file is not what would be written.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = fileURLToPath(new URL("..", import.meta.url));
const entry = `${root}packages/weft/src/index.ts`;
const target = `${root}docs/api.md`;

const config = ts.getParsedCommandLineOfConfigFile(`${root}packages/weft/tsconfig.json`, {}, {
  ...ts.sys, onUnRecoverableConfigFileDiagnostic: (d) => fail(ts.flattenDiagnosticMessageText(d.messageText, "\n")),
});
const program = ts.createProgram([entry], { ...config.options, noEmit: false, declaration: true, emitDeclarationOnly: true, stripInternal: true });
const checker = program.getTypeChecker();
const source = program.getSourceFile(entry);
if (!source) fail(`${entry} is missing`);

const printed = new Map(); // source file → its declarations as TypeScript writes them
function declarations(file) {
  if (!printed.has(file)) {
    let text = "";
    program.emit(file, (_, written) => (text = written), undefined, true);
    printed.set(file, ts.createSourceFile(file.fileName, text, ts.ScriptTarget.ES2022, true));
  }
  return printed.get(file);
}

const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source)).map((symbol) => {
  const actual = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const [node] = actual.declarations;
  return { name: symbol.name, own: actual.name, file: node.getSourceFile(), position: node.getStart() };
});

function declarationOf({ own, file }) {
  const found = declarations(file).statements.find((statement) =>
    statement.name?.text === own || statement.declarationList?.declarations.some(({ name }) => name.text === own));
  if (!found) fail(`${own} has no declaration in ${file.fileName}`);
  return found;
}

/** The comment before a declaration, without stars; indented lines are code. */
function prose(node) {
  const comments = ts.getLeadingCommentRanges(node.getSourceFile().text, node.getFullStart()) ?? [];
  const last = comments.map(({ pos, end }) => node.getSourceFile().text.slice(pos, end)).findLast((text) => text.startsWith("/**"));
  if (!last) return "";
  const lines = last.replace(/^\/\*\*|\*\/$/g, "").split("\n").map((line) => line.replace(/^\s*\* ?/, "").trimEnd());
  return lines.join("\n").trim().replace(/^ +(?=@)/gm, "");
}

function code(node) {
  const kept = node.members ? node.members.filter((member) => !/^(private|#)/.test(member.getText())) : undefined;
  if (!kept || kept.length === node.members.length) return tidy(node.getText());
  const text = node.getText(), start = node.getStart();
  const head = text.slice(0, node.members.pos - start);
  return tidy(head + kept.map((member) => member.getFullText()).join("") + "\n}");
}

const tidy = (text) => text.replace(/^export (default )?(declare )?/, "").replaceAll("    ", "  ").trimEnd();

const order = ["index", "engine", "model", "generation", "chat", "types", "cache", "errors", "error_codes", "openai"];
const nameOf = (file) => file.fileName.slice(file.fileName.lastIndexOf("/") + 1).replace(/\.ts$/, "");
const place = (file) => (order.indexOf(nameOf(file)) + order.length + 1) % (order.length + 1); // unknown ones last
exported.sort((a, b) => place(a.file) - place(b.file));

const sections = new Map(); // file → its entries
for (const item of exported) sections.set(item.file, [...(sections.get(item.file) ?? []), item]);

let out = `# API of the package weft

Written by \`tools/gen_api_docs.mjs\` from the types in \`packages/weft/src\`: do not edit. How it is used, hosted and what the
browsers do: [web.md](web.md). Errors and their ways out: [errors.md](errors.md).

`;
out += exported.map(({ name }) => `[${name}](#${name.toLowerCase()})`).sort((a, b) => a.localeCompare(b, "en")).join(" · ") + "\n";
for (const [file, items] of sections) {
  out += `\n## ${nameOf(file).replaceAll("_", " ")}\n`;
  for (const item of items.sort((a, b) => a.position - b.position)) {
    const node = declarationOf(item);
    out += `\n### ${item.name}\n\n${[prose(node), "```ts\n" + code(node) + "\n```"].filter(Boolean).join("\n\n")}\n`;
  }
}

if (process.argv.includes("--check")) {
  let now = "";
  try {
    now = readFileSync(target, "utf8");
  } catch {
    // No file: as good as an old one.
  }
  if (now !== out) fail("docs/api.md is not what tools/gen_api_docs.mjs writes: run it");
} else {
  writeFileSync(target, out);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
