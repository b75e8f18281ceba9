// The parsed template: expressions and statements, owned by one Program and immutable after parsing.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace weft::jinja {

struct Filter;  // filters.h
struct Test;
struct Stmt;
struct Expr;
using Block = std::vector<const Stmt*>;

enum class Op : uint8_t { add, sub, mul, div, floordiv, mod, pow, eq, ne, lt, le, gt, ge, in, not_in };

enum class ExprKind : uint8_t {
  literal,          // literal; a string literal has a slot in the render's table of constants
  name,             // symbol
  tuple,            // parts
  list,             // parts
  dict,             // parts: key, value, key, value …
  negate,           // parts[0]
  plus,             // parts[0]
  not_,             // parts[0]
  and_,             // parts[0], parts[1]
  or_,              // parts[0], parts[1]
  binary,           // ops[0] of parts[0], parts[1]
  compare,          // parts[0] ops[0] parts[1] ops[1] parts[2] …
  concat,           // parts joined by ~
  choose,           // parts: condition, then, else (may be null)
  filter,           // filter applied to parts[0] (null in {% filter %}: the block's text), arguments
  test,             // test applied to parts[0], arguments
  call,             // parts[0] called with arguments
  attribute,        // parts[0].text
  item,             // parts[0][parts[1]]
  slice,            // parts[0][parts[1]:parts[2]:parts[3]], each of the three may be null
  space_attribute,  // as a target only: symbol.text
};

struct Arguments {
  std::vector<const Expr*> positional;
  std::vector<std::pair<std::string, const Expr*>> named;
  const Expr* star = nullptr;
  const Expr* star_star = nullptr;
};

struct Expr {
  ExprKind kind = ExprKind::literal;
  int line = 0;
  int depth = 1;  // of the tree below: bounds every recursion over it
  int symbol = -1;
  int slot = -1;
  Kind literal = Kind::none;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Op> ops;
  std::vector<const Expr*> parts;
  Arguments arguments;
  const Filter* filter = nullptr;  // null: the name in `text` is unknown, which is an error when it is reached
  const Test* test = nullptr;
};

enum class StmtKind : uint8_t {
  data,          // text
  output,        // exprs
  if_,           // exprs and bodies in pairs, then perhaps one more body: else
  for_,          // target, exprs[0] the iterable, exprs[1] the filter or null; bodies[0], bodies[1] else
  set,           // target, exprs[0]
  set_block,     // target, exprs[0] a filter chain or null, bodies[0]
  macro,         // macro
  call_block,    // exprs[0] the call, macro what caller() runs
  filter_block,  // exprs[0] a filter chain, bodies[0]
  with,          // targets, exprs, bodies[0]
  scope,         // bodies[0] in a scope of its own: {% block %}, {% generation %}
  break_,
  continue_,
  unsupported,  // text says why; an error when it is reached
};

struct Macro {
  std::string name;
  std::vector<int> parameters;          // symbols
  std::vector<std::string_view> names;  // of the parameters
  std::vector<const Expr*> defaults;    // of the last parameters
  Block body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false, has_caller_parameter = false;
};

struct Stmt {
  StmtKind kind = StmtKind::data;
  int line = 0;
  std::string text;
  std::vector<const Expr*> targets;
  std::vector<const Expr*> exprs;
  std::vector<Block> bodies;
  bool recursive = false;
  Macro macro;
};

struct Program {
  std::deque<Expr> exprs;
  std::deque<Stmt> stmts;
  std::deque<std::string> symbols;  // the names that occur, by number
  int slots = 0;                    // string literals
  Block body;
  int caller = -1, varargs = -1, kwargs = -1, loop = -1;  // symbols with a meaning of their own
};

constexpr int kMaxNesting = 200;    // blocks and brackets within each other
constexpr int kMaxExprDepth = 500;  // e.g. operands of one sum

Maybe<Program> parse(std::string_view source);

}  // namespace weft::jinja
