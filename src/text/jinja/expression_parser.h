// The expression half of the parser; parser.cc adds statements. Internal to src/text/jinja.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace weft::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens);

 protected:
  struct TupleRules {
    bool conditional = true;         // `a if b else c` is allowed
    std::string_view end_word = {};  // a name that ends the tuple
    bool parenthesized = false;      // so that () is the empty tuple
  };
  struct Leave {
    void operator()(int* depth) const { --*depth; }
  };
  using Nested = std::unique_ptr<int, Leave>;

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  const Token& next();
  bool is_symbol(std::string_view text) const { return current().symbol == symbol_code(text); }
  bool is_word(std::string_view text) const { return current().type == Tok::name && current().text == text; }
  bool skip_symbol(std::string_view text);
  bool skip_word(std::string_view text);
  Done expect(Tok type);
  Done expect_symbol(std::string_view text);
  Maybe<Token> expect_name();
  std::unexpected<Fault> error(std::string text, Code code = Code::bad_template) const;
  static std::string describe(const Token& token);
  Maybe<Nested> enter();  // one level deeper, until the result is gone
  int intern(const std::string& name);

  Maybe<const Expr*> parse_expression(bool conditional = true);
  Maybe<const Expr*> parse_tuple(TupleRules rules);
  Maybe<const Expr*> parse_target(std::string_view end_word, bool allow_space);
  Maybe<const Expr*> name_target(const Token& name);
  // Filters applied to `input` (null: to a block's text); `inside`: the first name has no '|' before it.
  Maybe<const Expr*> parse_filter_chain(const Expr* input, bool inside);

  Program program_;
  bool soft_ = false;                 // inside a branch: an unknown filter or test is an error only if reached
  std::vector<Trouble> unknown_;      // filters and tests that do not exist, outside of branches
  std::array<bool, 3> special_ = {};  // caller, varargs, kwargs were read

 private:
  void note_unknown(std::string_view what, const Expr& expr);
  Expr* make(ExprKind kind, int line, std::vector<const Expr*> parts = {});
  Maybe<const Expr*> finish(Expr* expr);  // computes the depth and checks it
  Maybe<const Expr*> parse_binary(int level);
  Maybe<const Expr*> parse_unary(bool with_filter);
  Maybe<const Expr*> parse_postfix(const Expr* expr);
  Maybe<const Expr*> parse_primary();
  Maybe<const Expr*> parse_name(bool allow_space);
  Maybe<const Expr*> parse_list();
  Maybe<const Expr*> parse_dict();
  Maybe<const Expr*> parse_subscript(const Expr* expr);
  Maybe<const Expr*> parse_subscribed(const Expr* expr);
  Maybe<const Expr*> parse_call(const Expr* expr);
  Maybe<const Expr*> parse_test(const Expr* expr);
  Maybe<std::string> parse_dotted_name();
  Done parse_arguments(Arguments& arguments);

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_ = 0;
  std::unordered_map<std::string, int> symbols_;
};

}  // namespace weft::jinja
