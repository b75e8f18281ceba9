// Statements, loops and macros.
#include "text/jinja/filters.h"
#include "text/jinja/interp.h"

namespace weft::jinja {

namespace {

// Restores a member on leaving a block, however it is left.
template <class T>
class Swap {
 public:
  Swap(T& place, T value) : place_(place), old_(std::exchange(place, std::move(value))) {}
  Swap(const Swap&) = delete;
  Swap& operator=(const Swap&) = delete;
  ~Swap() { place_ = std::move(old_); }

 private:
  T& place_;
  T old_;
};

}  // namespace

void Scope::assign(int symbol, Value value) {
  for (auto& [name, old] : variables) {
    if (name == symbol) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(symbol, std::move(value));
}

const Value* Scope::find(int symbol) const {
  for (const Scope* scope = this; scope; scope = scope->parent.get()) {
    for (const auto& [name, value] : scope->variables) {
      if (name == symbol) return &value;
    }
  }
  return nullptr;
}

Ref<Scope> Interp::new_scope(const Ref<Scope>& parent) {
  auto scope = heap_.make<Scope>(0);
  scope->parent = parent;
  return scope;
}

Done Interp::emit(std::string_view text) {
  JINJA_CHECK(check_size(out_->size() + text.size()));
  out_->append(text);
  return spend(static_cast<int64_t>(text.size() / 64));
}

Maybe<Flow> Interp::exec(const Block& block) {
  Swap<int> deeper(depth_, depth_ + 1);
  if (depth_ > limits_.depth) return raise("calls and blocks are nested too deep (endless recursion?)", Code::limit);
  for (const Stmt* stmt : block) {
    JINJA_CHECK(spend(1));
    Maybe<Flow> flow = exec_stmt(*stmt);
    if (!flow && flow.error().trouble->line == 0) flow.error().trouble->line = stmt->line;
    if (!flow || *flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Maybe<Flow> Interp::exec_stmt(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::data: {
      JINJA_CHECK(emit(stmt.text));
      return Flow::normal;
    }
    case StmtKind::output:
      return exec_output(stmt);
    case StmtKind::if_:
      return exec_if(stmt);
    case StmtKind::for_:
      return exec_for(stmt);
    case StmtKind::set:
      return exec_set(stmt);
    case StmtKind::set_block:
    case StmtKind::filter_block:
      return exec_captured(stmt);
    case StmtKind::macro:
      return exec_macro(stmt);
    case StmtKind::call_block:
      return exec_call_block(stmt);
    case StmtKind::with:
      return exec_with(stmt);
    case StmtKind::scope: {
      Swap<Ref<Scope>> inside(scope_, new_scope(scope_));
      return exec(stmt.bodies[0]);
    }
    case StmtKind::break_:
      return Flow::broken;
    case StmtKind::continue_:
      return Flow::continued;
    case StmtKind::unsupported:
      break;
  }
  return raise(stmt.text);
}

Maybe<Flow> Interp::exec_output(const Stmt& stmt) {
  for (const Expr* expr : stmt.exprs) {
    JINJA_TRY(Value value, eval(*expr));
    if (value.is(Kind::string)) {
      JINJA_CHECK(emit(value.text()));
    } else {
      JINJA_TRY(std::string text, str(value));
      JINJA_CHECK(emit(text));
    }
  }
  return Flow::normal;
}

Maybe<Flow> Interp::exec_if(const Stmt& stmt) {
  for (size_t i = 0; i < stmt.bodies.size(); ++i) {
    if (i < stmt.exprs.size()) {
      JINJA_TRY(bool holds, condition(*stmt.exprs[i]));
      if (!holds) continue;
    }
    return exec(stmt.bodies[i]);
  }
  return Flow::normal;
}

Done Interp::assign(const Expr& target, Value value) {
  if (target.kind == ExprKind::name) {
    scope_->assign(target.symbol, std::move(value));
    return {};
  }
  if (target.kind == ExprKind::space_attribute) {
    const Value* space = scope_->find(target.symbol);
    if (!space || !space->is(Kind::space)) return raise("cannot assign attribute on non-namespace object");
    space->dict().set_text(heap_.string(target.text), std::move(value));
    return {};
  }
  JINJA_TRY(std::vector<Value> items, iterate(value));
  size_t wanted = target.parts.size();
  if (items.size() < wanted) {
    return raise("not enough values to unpack (expected " + std::to_string(wanted) + ", got " +
                 std::to_string(items.size()) + ")");
  }
  if (items.size() > wanted) return raise("too many values to unpack (expected " + std::to_string(wanted) + ")");
  for (size_t i = 0; i < wanted; ++i) JINJA_CHECK(assign(*target.parts[i], std::move(items[i])));
  return {};
}

Maybe<Flow> Interp::exec_set(const Stmt& stmt) {
  JINJA_TRY(Value value, eval(*stmt.exprs[0]));
  JINJA_CHECK(assign(*stmt.targets[0], std::move(value)));
  return Flow::normal;
}

Maybe<Flow> Interp::capture(const Ref<Scope>& scope, const Block& body, std::string& out) {
  Swap<Ref<Scope>> inside(scope_, scope);
  Swap<std::string*> output(out_, &out);
  return exec(body);
}

// {% set x %}…{% endset %} and {% filter f %}…{% endfilter %}.
Maybe<Flow> Interp::exec_captured(const Stmt& stmt) {
  std::string text;
  JINJA_TRY(Flow flow, capture(new_scope(scope_), stmt.bodies[0], text));
  if (flow != Flow::normal) return flow;
  JINJA_TRY(Value value, new_string(std::move(text)));
  if (const Expr* filter = stmt.exprs[0]) {
    Swap<Value> input(filter_input_, value);
    JINJA_TRY(value, eval(*filter));
  }
  if (stmt.kind == StmtKind::filter_block) {
    JINJA_TRY(std::string out, str(value));
    JINJA_CHECK(emit(out));
  } else {
    JINJA_CHECK(assign(*stmt.targets[0], std::move(value)));
  }
  return Flow::normal;
}

Maybe<Flow> Interp::exec_with(const Stmt& stmt) {
  std::vector<Value> values;
  for (const Expr* expr : stmt.exprs) {
    JINJA_TRY(Value value, eval(*expr));
    values.push_back(std::move(value));
  }
  Swap<Ref<Scope>> inside(scope_, new_scope(scope_));
  for (size_t i = 0; i < values.size(); ++i) JINJA_CHECK(assign(*stmt.targets[i], std::move(values[i])));
  return exec(stmt.bodies[0]);
}

// --- loops ---------------------------------------------------------------------------------------------------------

Ref<Loop> Interp::new_loop(const Stmt& stmt, Ref<Scope> scope, std::vector<Value> items, int64_t depth0) {
  auto loop = heap_.make<Loop>(items.size() * sizeof(Value));
  loop->stmt = &stmt;
  loop->scope = std::move(scope);
  loop->items = std::move(items);
  loop->depth0 = depth0;
  return loop;
}

Maybe<Flow> Interp::exec_for(const Stmt& stmt) {
  JINJA_TRY(Value iterable, eval(*stmt.exprs[0]));
  JINJA_TRY(std::vector<Value> items, iterate(iterable));
  auto loop = new_loop(stmt, scope_, std::move(items), 0);
  return run_loop(*loop);
}

// The next item that passes the loop's filter; false at the end.
Maybe<bool> Interp::pull(Loop& loop, Value& item) {
  while (loop.taken < loop.items.size()) {
    item = loop.items[loop.taken++];
    const Expr* filter = loop.stmt->exprs[1];
    if (!filter) return true;
    Swap<Ref<Scope>> inside(scope_, new_scope(loop.scope));
    JINJA_CHECK(assign(*loop.stmt->targets[0], item));
    JINJA_TRY(bool passes, condition(*filter));
    if (passes) return true;
  }
  return false;
}

// Looks ahead by one item, or to the end.
Done Interp::fill_ahead(Loop& loop, bool all) {
  Value item;
  while (all || loop.given == loop.ready.size()) {
    JINJA_TRY(bool more, pull(loop, item));
    if (!more) break;
    loop.ready.push_back(item);
  }
  return {};
}

Maybe<bool> Interp::advance_loop(Loop& loop, Value& item) {
  if (loop.given < loop.ready.size()) {
    item = std::exchange(loop.ready[loop.given++], {});
    if (loop.given == loop.ready.size()) {
      loop.ready.clear();
      loop.given = 0;
    }
  } else {
    JINJA_TRY(bool more, pull(loop, item));
    if (!more) return false;
  }
  ++loop.index0;
  loop.before = std::exchange(loop.current, item);
  return true;
}

Maybe<Flow> Interp::run_loop(Loop& loop) {
  Ref<Scope> body;
  Value item, self(&loop);
  while (true) {
    JINJA_TRY(bool more, advance_loop(loop, item));
    if (!more) break;
    JINJA_CHECK(spend(1));
    if (!body || body->references > 1) {  // a macro made in the last round may have kept it
      body = new_scope(loop.scope);
    } else {
      body->variables.clear();
    }
    Swap<Ref<Scope>> inside(scope_, body);
    body = {};
    scope_->assign(program_.loop, self);
    JINJA_CHECK(assign(*loop.stmt->targets[0], item));
    JINJA_TRY(Flow flow, exec(loop.stmt->bodies[0]));
    if (flow == Flow::broken) break;
    body = scope_;
  }
  if (loop.index0 < 0 && loop.stmt->bodies.size() > 1) {
    Swap<Ref<Scope>> inside(scope_, new_scope(loop.scope));
    return exec(loop.stmt->bodies[1]);
  }
  return Flow::normal;
}

Maybe<Value> Interp::recurse(Loop& loop, const Args& args) {
  if (!loop.stmt->recursive) return raise("the loop must have the 'recursive' marker to be called recursively");
  JINJA_TRY(auto bound, bind("loop", args, {"iterable"}, 1));
  JINJA_TRY(std::vector<Value> items, iterate(bound[0]));
  auto inner = new_loop(*loop.stmt, loop.scope, std::move(items), loop.depth0 + 1);
  std::string text;
  {
    Swap<std::string*> output(out_, &text);
    JINJA_TRY(Flow flow, run_loop(*inner));
    (void)flow;
  }
  return new_string(std::move(text));
}

namespace {

Maybe<Value> loop_cycle(Interp&, const Value& self, const Args& args) {
  if (args.positional.empty()) return raise("no items for cycling given");
  return args.positional[static_cast<size_t>(self.as<Loop>().index0) % args.positional.size()];
}

Maybe<Value> loop_changed(Interp& interp, const Value& self, const Args& args) {
  auto& loop = self.as<Loop>();
  Value now = interp.heap().tuple(args.positional);
  if (loop.changed.given()) {
    JINJA_TRY(bool same, equal(loop.changed, now));
    if (same) return Value::boolean(false);
  }
  loop.changed = now;
  return Value::boolean(true);
}

}  // namespace

Maybe<Value> Interp::loop_attribute(Loop& loop, std::string_view name) {
  static constexpr Named kCycle = {"cycle", loop_cycle}, kChanged = {"changed", loop_changed};
  if (name == "index0") return Value::integer(loop.index0);
  if (name == "index") return Value::integer(loop.index0 + 1);
  if (name == "first") return Value::boolean(loop.index0 == 0);
  if (name == "depth") return Value::integer(loop.depth0 + 1);
  if (name == "depth0") return Value::integer(loop.depth0);
  if (name == "cycle") return bind_method(kCycle, Value(&loop));
  if (name == "changed") return bind_method(kChanged, Value(&loop));
  if (name == "previtem") return loop.index0 == 0 ? heap_.undefined("there is no previous item") : loop.before;
  if (name == "last" || name == "nextitem") {
    JINJA_CHECK(fill_ahead(loop, false));
    bool more = loop.given < loop.ready.size();
    if (name == "last") return Value::boolean(!more);
    return more ? loop.ready[loop.given] : heap_.undefined("there is no next item");
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    int64_t length = static_cast<int64_t>(loop.items.size());
    if (loop.stmt->exprs[1]) {
      JINJA_CHECK(fill_ahead(loop, true));
      length = loop.index0 + 1 + static_cast<int64_t>(loop.ready.size() - loop.given);
    }
    if (name == "length") return Value::integer(length);
    return Value::integer(length - loop.index0 - (name == "revindex0" ? 1 : 0));
  }
  return undefined_attribute(Value(&loop), name);
}

// --- macros --------------------------------------------------------------------------------------------------------

Value Interp::macro_value(const Macro& macro) {
  auto function = heap_.make<Function>(0);
  function->name = macro.name;
  function->macro = &macro;
  function->closure = scope_;
  return Value(function);
}

Maybe<Flow> Interp::exec_macro(const Stmt& stmt) {
  JINJA_CHECK(assign(*stmt.targets[0], macro_value(stmt.macro)));
  return Flow::normal;
}

Maybe<Flow> Interp::exec_call_block(const Stmt& stmt) {
  const Expr& expr = *stmt.exprs[0];
  JINJA_TRY(Value callee, eval(*expr.parts[0]));
  JINJA_TRY(Args args, eval_arguments(expr.arguments));
  args.named.emplace_back("caller", macro_value(stmt.macro));
  JINJA_TRY(Value value, call(callee, args));
  JINJA_TRY(std::string text, str(value));
  JINJA_CHECK(emit(text));
  return Flow::normal;
}

Maybe<Value> Interp::call_macro(const Function& function, const Args& args) {
  const Macro& macro = *function.macro;
  Ref<Scope> scope = new_scope(function.closure);
  size_t count = macro.parameters.size(), given = std::min(count, args.positional.size());
  if (args.positional.size() > count && !macro.uses_varargs) {
    return raise("macro " + repr_text(macro.name) + " takes not more than " + std::to_string(count) + " argument(s)");
  }
  std::vector<bool> used(args.named.size());
  auto named = [&](std::string_view name) -> const Value* {
    for (size_t i = 0; i < args.named.size(); ++i) {
      if (args.named[i].first == name) {
        used[i] = true;
        return &args.named[i].second;
      }
    }
    return nullptr;
  };
  Swap<Ref<Scope>> inside(scope_, scope);
  std::vector<const Value*> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = i < given ? &args.positional[i] : named(macro.names[i]);
  if (macro.uses_caller && !macro.has_caller_parameter) {
    const Value* caller = named("caller");
    scope->assign(program_.caller, caller && !caller->is(Kind::none) ? *caller : heap_.undefined("No caller defined"));
  }
  if (macro.uses_kwargs) {
    auto rest = heap_.dict();
    for (size_t i = 0; i < args.named.size(); ++i) {
      if (!used[i]) rest->set_text(heap_.string(std::string(args.named[i].first)), args.named[i].second);
    }
    scope->assign(program_.kwargs, Value(rest));
  } else {
    for (size_t i = 0; i < args.named.size(); ++i) {
      if (!used[i]) {
        return raise("macro " + repr_text(macro.name) + " takes no keyword argument " + repr_text(args.named[i].first));
      }
    }
  }
  if (macro.uses_varargs) {
    std::vector<Value> rest(args.positional.begin() + static_cast<std::ptrdiff_t>(given), args.positional.end());
    scope->assign(program_.varargs, heap_.tuple(std::move(rest)));
  }
  size_t defaults_from = count - macro.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    if (values[i]) {
      scope->assign(macro.parameters[i], *values[i]);
    } else if (i >= defaults_from) {
      JINJA_TRY(Value value, eval(*macro.defaults[i - defaults_from]));
      scope->assign(macro.parameters[i], std::move(value));
    } else {
      scope->assign(macro.parameters[i],
                    heap_.undefined("parameter " + repr_text(macro.names[i]) + " was not provided"));
    }
  }
  std::string text;
  JINJA_TRY(Flow flow, capture(scope, macro.body, text));
  (void)flow;
  return new_string(std::move(text));
}

}  // namespace weft::jinja
