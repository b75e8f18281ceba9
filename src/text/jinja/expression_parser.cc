#include "text/jinja/expression_parser.h"

#include <algorithm>

#include "text/jinja/filters.h"

namespace weft::jinja {

ExpressionParser::ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  program_.caller = intern("caller");
  program_.varargs = intern("varargs");
  program_.kwargs = intern("kwargs");
  program_.loop = intern("loop");
}

const Token& ExpressionParser::next() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}
bool ExpressionParser::skip_symbol(std::string_view text) {
  if (!is_symbol(text)) return false;
  next();
  return true;
}
bool ExpressionParser::skip_word(std::string_view text) {
  if (!is_word(text)) return false;
  next();
  return true;
}
std::string ExpressionParser::describe(const Token& token) {
  switch (token.type) {
    case Tok::data:
      return "text";
    case Tok::expression_begin:
      return "'{{'";
    case Tok::expression_end:
      return "'}}'";
    case Tok::block_begin:
      return "'{%'";
    case Tok::block_end:
      return "'%}'";
    case Tok::string:
      return "a string";
    case Tok::end:
      return "the end of the template";
    default:
      return "'" + token.text + "'";
  }
}
std::unexpected<Fault> ExpressionParser::error(std::string text, Code code) const {
  auto fault = raise(std::move(text), code);
  fault.error().trouble->line = current().line;
  return fault;
}
Done ExpressionParser::expect(Tok type) {
  if (current().type != type) return error("expected " + describe({.type = type}) + ", found " + describe(current()));
  next();
  return {};
}
Done ExpressionParser::expect_symbol(std::string_view text) {
  if (!is_symbol(text)) return error("expected '" + std::string(text) + "', found " + describe(current()));
  next();
  return {};
}
Maybe<Token> ExpressionParser::expect_name() {
  if (current().type != Tok::name) return error("expected a name, found " + describe(current()));
  return next();
}
Maybe<ExpressionParser::Nested> ExpressionParser::enter() {
  if (nesting_ >= kMaxNesting) {
    return error("blocks or brackets are nested more than " + std::to_string(kMaxNesting) + " deep", Code::limit);
  }
  ++nesting_;
  return Nested(&nesting_);
}
int ExpressionParser::intern(const std::string& name) {
  auto [at, added] = symbols_.emplace(name, static_cast<int>(program_.symbols.size()));
  if (added) program_.symbols.push_back(name);
  return at->second;
}

Expr* ExpressionParser::make(ExprKind kind, int line, std::vector<const Expr*> parts) {
  Expr& expr = program_.exprs.emplace_back();
  expr.kind = kind;
  expr.line = line;
  expr.parts = std::move(parts);
  return &expr;
}
Maybe<const Expr*> ExpressionParser::finish(Expr* expr) {
  int depth = 0;
  auto see = [&](const Expr* part) { depth = part ? std::max(depth, part->depth) : depth; };
  for (const Expr* part : expr->parts) see(part);
  for (const Expr* part : expr->arguments.positional) see(part);
  for (const auto& [name, part] : expr->arguments.named) see(part);
  see(expr->arguments.star);
  see(expr->arguments.star_star);
  expr->depth = depth + 1;
  if (expr->depth > kMaxExprDepth) {
    return error("an expression has more than " + std::to_string(kMaxExprDepth) + " levels", Code::limit);
  }
  return expr;
}

void ExpressionParser::note_unknown(std::string_view what, const Expr& expr) {
  if (!soft_)
    unknown_.push_back({Code::bad_template, "no " + std::string(what) + " named '" + expr.text + "'", expr.line});
}

Maybe<const Expr*> ExpressionParser::parse_expression(bool conditional) {
  JINJA_TRY(auto nested, enter());
  int line = current().line;
  size_t unknown = unknown_.size();
  JINJA_TRY(const Expr* expr, parse_binary(0));
  while (conditional && skip_word("if")) {
    JINJA_TRY(const Expr* condition, parse_binary(0));
    const Expr* otherwise = nullptr;
    if (skip_word("else")) {
      JINJA_TRY(otherwise, parse_expression());
    }
    unknown_.resize(unknown);
    JINJA_TRY(expr, finish(make(ExprKind::choose, line, {condition, expr, otherwise})));
  }
  return expr;
}

namespace {

// Binding strengths, weakest first. `not` stands at kNot: weaker than comparisons, stronger than `and`.
enum Level : int { kOr, kAnd, kNot, kComparison, kSum, kConcat, kProduct, kPower, kNoOperator = -1 };

struct Infix {
  int level = kNoOperator;
  Op op = Op::add;
  bool two_words = false;  // not in
};

Infix infix_of(const Token& token, const Token& after) {
  if (token.type == Tok::symbol) {
    switch (token.symbol) {
      case symbol_code("+"):
        return {kSum, Op::add};
      case symbol_code("-"):
        return {kSum, Op::sub};
      case symbol_code("~"):
        return {kConcat};
      case symbol_code("*"):
        return {kProduct, Op::mul};
      case symbol_code("/"):
        return {kProduct, Op::div};
      case symbol_code("//"):
        return {kProduct, Op::floordiv};
      case symbol_code("%"):
        return {kProduct, Op::mod};
      case symbol_code("**"):
        return {kPower, Op::pow};
      case symbol_code("=="):
        return {kComparison, Op::eq};
      case symbol_code("!="):
        return {kComparison, Op::ne};
      case symbol_code("<"):
        return {kComparison, Op::lt};
      case symbol_code("<="):
        return {kComparison, Op::le};
      case symbol_code(">"):
        return {kComparison, Op::gt};
      case symbol_code(">="):
        return {kComparison, Op::ge};
      default:
        return {};
    }
  }
  if (token.type != Tok::name) return {};
  if (token.text == "or") return {kOr};
  if (token.text == "and") return {kAnd};
  if (token.text == "in") return {kComparison, Op::in};
  if (token.text == "not" && after.type == Tok::name && after.text == "in") return {kComparison, Op::not_in, true};
  return {};
}

}  // namespace

// Precedence climbing: operators that bind at least as strongly as `level`. All are left-associative, even **.
Maybe<const Expr*> ExpressionParser::parse_binary(int level) {
  int line = current().line;
  const Expr* left = nullptr;
  if (level <= kNot && is_word("not")) {
    JINJA_TRY(auto nested, enter());
    next();
    JINJA_TRY(const Expr* inner, parse_binary(kNot));
    JINJA_TRY(left, finish(make(ExprKind::not_, line, {inner})));
  } else {
    JINJA_TRY(left, parse_unary(true));
  }
  while (true) {
    Infix infix = infix_of(current(), look());
    if (infix.level == kNoOperator || infix.level < level) return left;
    bool chain = infix.level == kComparison || infix.level == kConcat;
    ExprKind kind = infix.level == kOr           ? ExprKind::or_
                    : infix.level == kAnd        ? ExprKind::and_
                    : infix.level == kComparison ? ExprKind::compare
                    : infix.level == kConcat     ? ExprKind::concat
                                                 : ExprKind::binary;
    Expr* expr = make(kind, line, {left});
    for (Infix each = infix; each.level == infix.level; each = chain ? infix_of(current(), look()) : Infix()) {
      next();
      if (each.two_words) next();
      JINJA_TRY(const Expr* right, parse_binary(infix.level + 1));
      expr->parts.push_back(right);
      if (kind == ExprKind::compare || kind == ExprKind::binary) expr->ops.push_back(each.op);
    }
    JINJA_TRY(left, finish(expr));
  }
}

Maybe<const Expr*> ExpressionParser::parse_unary(bool with_filter) {
  int line = current().line;
  const Expr* expr = nullptr;
  if (is_symbol("-") || is_symbol("+")) {
    JINJA_TRY(auto nested, enter());
    ExprKind kind = next().text == "-" ? ExprKind::negate : ExprKind::plus;
    JINJA_TRY(const Expr* inner, parse_unary(false));
    JINJA_TRY(expr, finish(make(kind, line, {inner})));
  } else {
    JINJA_TRY(expr, parse_primary());
  }
  JINJA_TRY(expr, parse_postfix(expr));
  while (with_filter) {
    if (is_symbol("|")) {
      JINJA_TRY(expr, parse_filter_chain(expr, false));
    } else if (is_word("is")) {
      JINJA_TRY(expr, parse_test(expr));
    } else if (is_symbol("(")) {
      JINJA_TRY(expr, parse_call(expr));
    } else {
      break;
    }
  }
  return expr;
}

Maybe<const Expr*> ExpressionParser::parse_postfix(const Expr* expr) {
  while (true) {
    if (is_symbol(".") || is_symbol("[")) {
      JINJA_TRY(expr, parse_subscript(expr));
    } else if (is_symbol("(")) {
      JINJA_TRY(expr, parse_call(expr));
    } else {
      return expr;
    }
  }
}

Maybe<const Expr*> ExpressionParser::parse_name(bool allow_space) {
  const Token& token = next();
  Expr* expr = make(ExprKind::literal, token.line);
  if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False") {
    expr->literal = Kind::boolean;
    expr->integer = token.text == "true" || token.text == "True" ? 1 : 0;
    return expr;
  }
  if (token.text == "none" || token.text == "None") return expr;
  expr->symbol = intern(token.text);
  expr->kind = ExprKind::name;
  if (allow_space && skip_symbol(".")) {
    JINJA_TRY(Token attribute, expect_name());
    expr->kind = ExprKind::space_attribute;
    expr->text = attribute.text;
    return expr;
  }
  if (expr->symbol == program_.caller) special_[0] = true;
  if (expr->symbol == program_.varargs) special_[1] = true;
  if (expr->symbol == program_.kwargs) special_[2] = true;
  return expr;
}

Maybe<const Expr*> ExpressionParser::parse_primary() {
  const Token& token = current();
  switch (token.type) {
    case Tok::name:
      return parse_name(false);
    case Tok::string: {
      Expr* expr = make(ExprKind::literal, token.line);
      expr->literal = Kind::string;
      expr->slot = program_.slots++;
      while (current().type == Tok::string) expr->text += next().text;
      return expr;
    }
    case Tok::integer:
    case Tok::real: {
      Expr* expr = make(ExprKind::literal, token.line);
      expr->literal = token.type == Tok::integer ? Kind::integer : Kind::real;
      expr->integer = token.integer;
      expr->real = token.real;
      next();
      return expr;
    }
    default:
      break;
  }
  if (is_symbol("[")) return parse_list();
  if (is_symbol("{")) return parse_dict();
  if (!is_symbol("(")) return error("expected an expression, found " + describe(token));
  next();
  JINJA_TRY(const Expr* expr, parse_tuple({.parenthesized = true}));
  JINJA_CHECK(expect_symbol(")"));
  return expr;
}

Maybe<const Expr*> ExpressionParser::parse_tuple(TupleRules rules) {
  int line = current().line;
  std::vector<const Expr*> parts;
  bool tuple = false;
  while (true) {
    if (!parts.empty()) JINJA_CHECK(expect_symbol(","));
    bool end = current().type == Tok::expression_end || current().type == Tok::block_end || is_symbol(")") ||
               (!rules.end_word.empty() && is_word(rules.end_word));
    if (end) break;
    JINJA_TRY(const Expr* part, parse_expression(rules.conditional));
    parts.push_back(part);
    if (!is_symbol(",")) break;
    tuple = true;
  }
  if (!tuple && !parts.empty()) return parts[0];
  if (!tuple && !rules.parenthesized) return error("expected an expression, found " + describe(current()));
  return finish(make(ExprKind::tuple, line, std::move(parts)));
}

Maybe<const Expr*> ExpressionParser::name_target(const Token& name) {
  for (std::string_view word : {"true", "True", "false", "False", "none", "None"}) {
    if (name.text == word) return error("cannot assign to '" + name.text + "'");
  }
  Expr* expr = make(ExprKind::name, name.line);
  expr->symbol = intern(name.text);
  return expr;
}

// A name, a tuple of targets, with or without parentheses, or for {% set %} an attribute of a namespace.
Maybe<const Expr*> ExpressionParser::parse_target(std::string_view end_word, bool allow_space) {
  JINJA_TRY(auto nested, enter());
  int line = current().line;
  std::vector<const Expr*> parts;
  bool tuple = false;
  while (true) {
    if (!parts.empty()) JINJA_CHECK(expect_symbol(","));
    if (current().type == Tok::block_end || is_symbol(")") || (!end_word.empty() && is_word(end_word))) break;
    if (skip_symbol("(")) {
      JINJA_TRY(const Expr* inner, parse_target({}, false));
      JINJA_CHECK(expect_symbol(")"));
      parts.push_back(inner);
    } else {
      if (current().type != Tok::name) return error("cannot assign to " + describe(current()));
      auto special = special_;  // being assigned to is not being read
      JINJA_TRY(const Expr* part, parse_name(allow_space));
      special_ = special;
      if (part->kind == ExprKind::literal) return error("cannot assign to a constant");
      parts.push_back(part);
    }
    if (!is_symbol(",")) break;
    tuple = true;
  }
  if (!tuple && !parts.empty()) return parts[0];
  if (parts.empty()) return error("expected a name, found " + describe(current()));
  return finish(make(ExprKind::tuple, line, std::move(parts)));
}

Maybe<const Expr*> ExpressionParser::parse_list() {
  Expr* list = make(ExprKind::list, next().line);
  while (!is_symbol("]")) {
    if (!list->parts.empty()) JINJA_CHECK(expect_symbol(","));
    if (is_symbol("]")) break;
    JINJA_TRY(const Expr* item, parse_expression());
    list->parts.push_back(item);
  }
  next();
  return finish(list);
}

Maybe<const Expr*> ExpressionParser::parse_dict() {
  Expr* dict = make(ExprKind::dict, next().line);
  while (!is_symbol("}")) {
    if (!dict->parts.empty()) JINJA_CHECK(expect_symbol(","));
    if (is_symbol("}")) break;
    JINJA_TRY(const Expr* key, parse_expression());
    JINJA_CHECK(expect_symbol(":"));
    JINJA_TRY(const Expr* value, parse_expression());
    dict->parts.push_back(key);
    dict->parts.push_back(value);
  }
  next();
  return finish(dict);
}

Maybe<const Expr*> ExpressionParser::parse_subscript(const Expr* expr) {
  const Token& token = next();
  if (token.text == ".") {
    const Token& name = next();
    if (name.type == Tok::name) {
      Expr* attribute = make(ExprKind::attribute, token.line, {expr});
      attribute->text = name.text;
      return finish(attribute);
    }
    if (name.type != Tok::integer) return error("expected a name or number after '.'");
    Expr* index = make(ExprKind::literal, name.line);
    index->literal = Kind::integer;
    index->integer = name.integer;
    return finish(make(ExprKind::item, token.line, {expr, index}));
  }
  JINJA_TRY(const Expr* result, parse_subscribed(expr));
  if (is_symbol(",")) {  // a[1, 2] subscribes with a tuple
    if (result->kind != ExprKind::item) return error("a slice cannot be part of a tuple");
    std::vector<const Expr*> keys = {result->parts[1]};
    while (skip_symbol(",")) {
      JINJA_TRY(const Expr* key, parse_expression());
      keys.push_back(key);
    }
    JINJA_TRY(const Expr* tuple, finish(make(ExprKind::tuple, token.line, std::move(keys))));
    JINJA_TRY(result, finish(make(ExprKind::item, token.line, {expr, tuple})));
  }
  JINJA_CHECK(expect_symbol("]"));
  return result;
}

Maybe<const Expr*> ExpressionParser::parse_subscribed(const Expr* expr) {
  int line = current().line;
  std::vector<const Expr*> parts = {expr, nullptr, nullptr, nullptr};
  if (!is_symbol(":")) {
    JINJA_TRY(parts[1], parse_expression());
    if (!is_symbol(":")) {
      parts.resize(2);
      return finish(make(ExprKind::item, line, std::move(parts)));
    }
  }
  for (size_t i = 2; i < 4 && skip_symbol(":"); ++i) {
    if (!is_symbol(":") && !is_symbol("]")) {
      JINJA_TRY(parts[i], parse_expression());
    }
  }
  return finish(make(ExprKind::slice, line, std::move(parts)));
}

Done ExpressionParser::parse_arguments(Arguments& arguments) {
  JINJA_CHECK(expect_symbol("("));
  bool first = true;
  while (!is_symbol(")")) {
    if (!first) {
      JINJA_CHECK(expect_symbol(","));
      if (is_symbol(")")) break;
    }
    first = false;
    bool named = current().type == Tok::name && look().type == Tok::symbol && look().text == "=";
    bool star = is_symbol("*"), star_star = is_symbol("**");
    bool ordered = star_star ? !arguments.star_star
                   : star    ? !arguments.star && !arguments.star_star
                   : named   ? !arguments.star_star
                             : !arguments.star && !arguments.star_star && arguments.named.empty();
    if (!ordered) return error("invalid order of arguments in a call");
    std::string name = named ? next().text : "";
    if (named || star || star_star) next();
    JINJA_TRY(const Expr* value, parse_expression());
    if (star_star) {
      arguments.star_star = value;
    } else if (star) {
      arguments.star = value;
    } else if (named) {
      for (const auto& [other, ignored] : arguments.named) {
        if (other == name) return error("keyword argument repeated: " + name);
      }
      arguments.named.emplace_back(std::move(name), value);
    } else {
      arguments.positional.push_back(value);
    }
  }
  next();
  return {};
}

Maybe<const Expr*> ExpressionParser::parse_call(const Expr* expr) {
  Expr* call = make(ExprKind::call, current().line, {expr});
  JINJA_CHECK(parse_arguments(call->arguments));
  return finish(call);
}

Maybe<std::string> ExpressionParser::parse_dotted_name() {
  JINJA_TRY(Token token, expect_name());
  std::string name = token.text;
  while (skip_symbol(".")) {
    JINJA_TRY(Token part, expect_name());
    name += "." + part.text;
  }
  return name;
}

Maybe<const Expr*> ExpressionParser::parse_filter_chain(const Expr* input, bool inside) {
  while (inside || skip_symbol("|")) {
    inside = false;
    Expr* filter = make(ExprKind::filter, current().line, {input});
    JINJA_TRY(filter->text, parse_dotted_name());
    filter->filter = find_filter(filter->text);
    if (!filter->filter) note_unknown("filter", *filter);
    if (is_symbol("(")) JINJA_CHECK(parse_arguments(filter->arguments));
    JINJA_TRY(input, finish(filter));
  }
  return input;
}

Maybe<const Expr*> ExpressionParser::parse_test(const Expr* expr) {
  int line = next().line;
  bool negated = skip_word("not");
  Expr* test = make(ExprKind::test, line, {expr});
  JINJA_TRY(test->text, parse_dotted_name());
  test->test = find_test(test->text);
  if (!test->test) note_unknown("test", *test);
  const Token& token = current();
  bool operand = token.type == Tok::string || token.type == Tok::integer || token.type == Tok::real || is_symbol("[") ||
                 is_symbol("{") ||
                 (token.type == Tok::name && token.text != "else" && token.text != "or" && token.text != "and");
  if (is_symbol("(")) {
    JINJA_CHECK(parse_arguments(test->arguments));
  } else if (operand) {
    if (is_word("is")) return error("tests cannot be chained with 'is'");
    JINJA_TRY(const Expr* argument, parse_primary());
    JINJA_TRY(argument, parse_postfix(argument));
    test->arguments.positional.push_back(argument);
  }
  JINJA_TRY(const Expr* result, finish(test));
  if (negated) return finish(make(ExprKind::not_, line, {result}));
  return result;
}

}  // namespace weft::jinja
