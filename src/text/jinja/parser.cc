// Recursive descent over the tokens, after the grammar in Jinja2's documentation.
#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "text/jinja/ast.h"
#include "text/jinja/expression_parser.h"
#include "text/jinja/lexer.h"

namespace weft::jinja {

namespace {

using Words = std::initializer_list<std::string_view>;

class Parser : ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Maybe<Program> run() {
    JINJA_TRY(program_.body, parse_body({}));
    if (!unknown_.empty()) return std::unexpected<Fault>(Fault{std::make_unique<Trouble>(unknown_[0])});
    return std::move(program_);
  }

 private:
  int loops_ = 0;  // how many loops `break` could leave here

  Stmt* make(StmtKind kind, int line) {
    Stmt& stmt = program_.stmts.emplace_back();
    stmt.kind = kind;
    stmt.line = line;
    return &stmt;
  }

  // Statements up to a tag named in `ends`, whose name is left as the current token; to the end of the template when
  // there are none.
  Maybe<Block> parse_body(Words ends) {
    JINJA_TRY(auto nested, enter());
    Block block;
    while (true) {
      const Token& token = current();
      switch (token.type) {
        case Tok::data: {
          Stmt* stmt = make(StmtKind::data, token.line);
          stmt->text = token.text;
          block.push_back(stmt);
          next();
          break;
        }
        case Tok::expression_begin: {
          Stmt* stmt = make(StmtKind::output, token.line);
          next();
          JINJA_TRY(const Expr* expr, parse_tuple({}));
          stmt->exprs.push_back(expr);
          JINJA_CHECK(expect(Tok::expression_end));
          block.push_back(stmt);
          break;
        }
        case Tok::block_begin: {
          next();
          if (current().type == Tok::name && std::ranges::find(ends, current().text) != ends.end()) return block;
          JINJA_CHECK(parse_statement(block));
          JINJA_CHECK(expect(Tok::block_end));
          break;
        }
        default: {
          if (ends.size() == 0) return block;
          return error("unexpected end of template, expected " + join_words(ends));
        }
      }
    }
  }
  static std::string join_words(Words words) {
    std::string out;
    for (auto word : words) out += (out.empty() ? "'" : " or '") + std::string(word) + "'";
    return out;
  }
  // After the head of a block tag: its body, up to and including the end tag's name.
  Maybe<Block> parse_block(Words ends, bool drop_end = true) {
    skip_symbol(":");
    JINJA_CHECK(expect(Tok::block_end));
    JINJA_TRY(Block block, parse_body(ends));
    if (drop_end) next();
    return block;
  }
  // The same where Python would begin a new function: `break` cannot leave it.
  Maybe<Block> parse_function_body(Words ends) {
    int loops = std::exchange(loops_, 0);
    bool soft = std::exchange(soft_, false);
    JINJA_TRY(Block block, parse_block(ends));
    loops_ = loops;
    soft_ = soft;
    return block;
  }

  Done parse_statement(Block& block) {
    if (current().type != Tok::name) return error("expected the name of a tag, found " + describe(current()));
    using Parse = Maybe<Stmt*> (Parser::*)();
    static const std::unordered_map<std::string_view, Parse> kParsers = {
        {"for", &Parser::parse_for},
        {"if", &Parser::parse_if},
        {"set", &Parser::parse_set},
        {"macro", &Parser::parse_macro},
        {"call", &Parser::parse_call_block},
        {"filter", &Parser::parse_filter_block},
        {"with", &Parser::parse_with},
        {"block", &Parser::parse_named_block},
        {"print", &Parser::parse_print},
        {"generation", &Parser::parse_generation},
        {"break", &Parser::parse_break},
        {"continue", &Parser::parse_break},
        {"include", &Parser::parse_loading},
        {"import", &Parser::parse_loading},
        {"from", &Parser::parse_loading},
        {"extends", &Parser::parse_loading},
        {"autoescape", &Parser::parse_autoescape},
    };
    auto found = kParsers.find(current().text);
    if (found == kParsers.end()) return error("unknown or misplaced tag '" + current().text + "'");
    JINJA_TRY(const Stmt* stmt, (this->*found->second)());
    block.push_back(stmt);
    return {};
  }

  Maybe<Stmt*> parse_for() {
    Stmt* stmt = make(StmtKind::for_, next().line);
    JINJA_TRY(const Expr* target, parse_target("in", false));
    JINJA_CHECK(check_loop_target(*target));
    stmt->targets.push_back(target);
    if (!skip_word("in")) return error("expected 'in', found " + describe(current()));
    JINJA_TRY(const Expr* items, parse_tuple({.conditional = false, .end_word = "recursive"}));
    const Expr* filter = nullptr;
    if (skip_word("if")) {
      JINJA_TRY(filter, parse_expression());
    }
    stmt->exprs = {items, filter};
    stmt->recursive = skip_word("recursive");
    bool soft = std::exchange(soft_, false);
    // The body of a recursive loop is a function in Python, but the loop itself is in it.
    int loops = std::exchange(loops_, stmt->recursive ? 1 : loops_ + 1);
    JINJA_TRY(Block body, parse_block({"endfor", "else"}, false));
    loops_ = stmt->recursive ? 0 : loops;
    stmt->bodies.push_back(std::move(body));
    if (next().text == "else") {
      JINJA_TRY(Block otherwise, parse_block({"endfor"}));
      stmt->bodies.push_back(std::move(otherwise));
    }
    loops_ = loops;
    soft_ = soft;
    return stmt;
  }
  Done check_loop_target(const Expr& target) {
    if (target.kind == ExprKind::name && target.symbol == program_.loop) {
      return error("cannot assign to the special variable 'loop' in a for loop");
    }
    for (const Expr* part : target.parts) JINJA_CHECK(check_loop_target(*part));
    return {};
  }

  Maybe<Stmt*> parse_if() {
    Stmt* stmt = make(StmtKind::if_, current().line);
    bool soft = std::exchange(soft_, true);
    while (true) {
      std::string word = next().text;  // if, elif or else
      if (word != "else") {
        JINJA_TRY(const Expr* condition, parse_tuple({.conditional = false}));
        stmt->exprs.push_back(condition);
      }
      JINJA_TRY(Block body,
                word == "else" ? parse_block({"endif"}, false) : parse_block({"elif", "else", "endif"}, false));
      stmt->bodies.push_back(std::move(body));
      if (current().text == "endif") break;
    }
    next();
    soft_ = soft;
    return stmt;
  }

  Maybe<Stmt*> parse_set() {
    int line = next().line;
    JINJA_TRY(const Expr* target, parse_target({}, true));
    if (skip_symbol("=")) {
      Stmt* stmt = make(StmtKind::set, line);
      JINJA_TRY(const Expr* value, parse_tuple({}));
      stmt->targets.push_back(target);
      stmt->exprs.push_back(value);
      return stmt;
    }
    Stmt* stmt = make(StmtKind::set_block, line);
    stmt->targets.push_back(target);
    const Expr* filter = nullptr;
    if (is_symbol("|")) {
      JINJA_TRY(filter, parse_filter_chain(nullptr, false));
    }
    stmt->exprs.push_back(filter);
    JINJA_TRY(Block body, parse_block({"endset"}));
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }

  Done parse_signature(Macro& macro) {
    JINJA_CHECK(expect_symbol("("));
    while (!is_symbol(")")) {
      if (!macro.parameters.empty()) JINJA_CHECK(expect_symbol(","));
      JINJA_TRY(Token name, expect_name());
      int symbol = intern(name.text);
      if (std::ranges::find(macro.parameters, symbol) != macro.parameters.end()) {
        return error("duplicate argument '" + name.text + "' in a macro");
      }
      macro.parameters.push_back(symbol);
      macro.names.push_back(program_.symbols[static_cast<size_t>(symbol)]);
      macro.has_caller_parameter |= symbol == program_.caller;
      if (skip_symbol("=")) {
        JINJA_TRY(const Expr* value, parse_expression());
        macro.defaults.push_back(value);
      } else if (!macro.defaults.empty()) {
        return error("non-default argument follows default argument");
      }
    }
    next();
    return {};
  }
  // The body of a macro, noting which of the special variables it reads.
  Done parse_macro_body(Macro& macro, std::string_view end) {
    auto outer = std::exchange(special_, {});
    JINJA_TRY(macro.body, parse_function_body({end}));
    auto parameter = [&](int symbol) { return std::ranges::find(macro.parameters, symbol) != macro.parameters.end(); };
    macro.uses_caller = special_[0] || macro.has_caller_parameter;
    macro.uses_varargs = special_[1] && !parameter(program_.varargs);
    macro.uses_kwargs = special_[2] && !parameter(program_.kwargs);
    special_ = outer;
    return {};
  }

  Maybe<Stmt*> parse_macro() {
    Stmt* stmt = make(StmtKind::macro, next().line);
    JINJA_TRY(Token name, expect_name());
    stmt->macro.name = name.text;
    JINJA_TRY(const Expr* target, name_target(name));
    stmt->targets.push_back(target);
    JINJA_CHECK(parse_signature(stmt->macro));
    JINJA_CHECK(parse_macro_body(stmt->macro, "endmacro"));
    return stmt;
  }

  Maybe<Stmt*> parse_call_block() {
    Stmt* stmt = make(StmtKind::call_block, next().line);
    stmt->macro.name = "caller";
    if (is_symbol("(")) JINJA_CHECK(parse_signature(stmt->macro));
    JINJA_TRY(const Expr* call, parse_expression());
    if (call->kind != ExprKind::call) return error("expected a call");
    stmt->exprs.push_back(call);
    JINJA_CHECK(parse_macro_body(stmt->macro, "endcall"));
    return stmt;
  }

  Maybe<Stmt*> parse_filter_block() {
    Stmt* stmt = make(StmtKind::filter_block, next().line);
    JINJA_TRY(const Expr* filter, parse_filter_chain(nullptr, true));
    stmt->exprs.push_back(filter);
    JINJA_TRY(Block body, parse_block({"endfilter"}));
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }

  Maybe<Stmt*> parse_with() {
    Stmt* stmt = make(StmtKind::with, next().line);
    while (current().type != Tok::block_end) {
      if (!stmt->targets.empty()) JINJA_CHECK(expect_symbol(","));
      JINJA_TRY(const Expr* target, parse_target({}, false));
      JINJA_CHECK(expect_symbol("="));
      JINJA_TRY(const Expr* value, parse_expression());
      stmt->targets.push_back(target);
      stmt->exprs.push_back(value);
    }
    bool soft = std::exchange(soft_, false);
    JINJA_TRY(Block body, parse_block({"endwith"}));
    soft_ = soft;
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }

  Maybe<Stmt*> parse_named_block() {
    Stmt* stmt = make(StmtKind::scope, next().line);
    JINJA_TRY(Token name, expect_name());
    skip_word("scoped");
    skip_word("required");
    JINJA_TRY(Block body, parse_function_body({"endblock"}));
    skip_word(name.text);
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }

  // Hugging Face's marker for what the model itself wrote: only its body matters for the text.
  Maybe<Stmt*> parse_generation() {
    Stmt* stmt = make(StmtKind::scope, next().line);
    JINJA_TRY(Block body, parse_function_body({"endgeneration"}));
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }

  Maybe<Stmt*> parse_print() {
    Stmt* stmt = make(StmtKind::output, next().line);
    while (current().type != Tok::block_end) {
      if (!stmt->exprs.empty()) JINJA_CHECK(expect_symbol(","));
      JINJA_TRY(const Expr* expr, parse_expression());
      stmt->exprs.push_back(expr);
    }
    return stmt;
  }

  Maybe<Stmt*> parse_break() {
    if (loops_ == 0) return error("'" + current().text + "' outside of a loop");
    const Token& word = next();
    return make(word.text == "break" ? StmtKind::break_ : StmtKind::continue_, word.line);
  }

  Maybe<Stmt*> parse_loading() {
    const Token& word = next();
    Stmt* stmt = make(StmtKind::unsupported, word.line);
    stmt->text = "'" + word.text + "' needs other templates, which a chat template does not have";
    while (current().type != Tok::block_end && current().type != Tok::end) next();
    return stmt;
  }

  Maybe<Stmt*> parse_autoescape() {
    const Token& word = next();
    JINJA_TRY(const Expr* value, parse_expression());
    bool off = value->kind == ExprKind::literal && value->literal == Kind::boolean && value->integer == 0;
    Stmt* stmt = make(off ? StmtKind::scope : StmtKind::unsupported, word.line);
    if (!off) stmt->text = "'autoescape' is supported for false only";
    JINJA_TRY(Block body, parse_block({"endautoescape"}));
    stmt->bodies.push_back(std::move(body));
    return stmt;
  }
};

}  // namespace

Maybe<Program> parse(std::string_view source) {
  JINJA_TRY(std::vector<Token> tokens, tokenize(source));
  return Parser(std::move(tokens)).run();
}

}  // namespace weft::jinja
