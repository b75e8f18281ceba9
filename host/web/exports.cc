// What JavaScript calls: one function that starts a call, by name and with parameters as JSON, and one that ends what a
// call waits for. A call answers with any number of events and then one result or error (imports.h).
//
//   load {source, options: load_options_from_json} → {model, …model_json}; events {progress: [done, total]}; asks
//   {needs:
//        memory_json} before anything of the weights is read
//   unload {model}, open {model} → {session}, close {session}, tokens {session} → {ids}
//   generate {session, text | ids | messages, options: request_from_json, from} → generated_json; events token_json
//        messages are rendered with the model's chat template. from: the time for templates that write the date
//   tokenize {model, text, special, bos} → {ids}, detokenize {model, ids} → {text}, template {model, messages} → {text}
//   dump {model, what: graph | decode | prefill} → {text}, devices {options} → {devices: [gpu_json]}
//   version {} → {version}
#include <cstdlib>
#include <list>
#include <map>

#include "base/pending.h"
#include "imports.h"
#include "session/chat.h"
#include "session/json.h"
#include "web_host.h"

namespace weft {
namespace {

struct Web {
  WebHost host;
  uint32_t last = 0;  // number of a model or session
  std::map<uint32_t, std::shared_ptr<LanguageModel>> models;
  struct Conversation {
    std::shared_ptr<LanguageModel> model;
    std::shared_ptr<Session> session;
  };
  std::map<uint32_t, Conversation> sessions;
};
Web& web() {
  static Web instance;
  return instance;
}

struct Call {
  uint32_t number;
  std::string method;
  OrderedJson parameters;
  CancelFlag cancel;
  std::optional<Task<void>> task;

  Result<const OrderedJson*> find(const char* name) const {
    if (const OrderedJson* value = json_member(parameters, name)) return value;
    return fail(Code::invalid_argument, method, name, "a parameter", "none");
  }
  Result<std::string> text(const char* name) const {
    WEFT_TRY(const OrderedJson* value, find(name));
    if (value->is_string()) return value->get<std::string>();
    return fail(Code::invalid_argument, method, name, "a text", dump_json(*value));
  }
  Result<std::vector<int32_t>> ids(const char* name) const {
    WEFT_TRY(const OrderedJson* value, find(name));
    std::vector<int32_t> out;
    for (const OrderedJson& id : *value)
      if (id.is_number_integer()) out.push_back(id.get<int32_t>());
    if (value->is_array() && out.size() == value->size()) return out;
    return fail(Code::invalid_argument, method, name, "an array of token ids", dump_json(*value));
  }
  template <class T>
  Result<T> handle(const char* name, const std::map<uint32_t, T>& table) const {
    WEFT_TRY(const OrderedJson* value, find(name));
    const auto found = value->is_number_integer() ? table.find(value->get<uint32_t>()) : table.end();
    if (found != table.end()) return found->second;
    return fail(Code::invalid_argument, method, name, "one that is open", dump_json(*value));
  }
  bool flag(const char* name, bool otherwise) const {
    const OrderedJson* value = json_member(parameters, name);
    return value && value->is_boolean() ? value->get<bool>() : otherwise;
  }
  OrderedJson object(const char* name) const {
    const OrderedJson* value = json_member(parameters, name);
    return value ? *value : OrderedJson::object();
  }
  void reply(uint32_t kind, const OrderedJson& json) const {
    const std::string dumped = dump_json(json);
    weft_reply(number, kind, dumped.data(), dumped.size());
  }
};

using Answer = Task<Result<OrderedJson>>;

Answer load(Call& call) {
  WEFT_CO_TRY(std::string source, call.text("source"));
  WEFT_CO_TRY(LoadOptions options, load_options_from_json(call.object("options")));
  options.cancel = &call.cancel;
  options.progress = [&call](int64_t done, int64_t total) { call.reply(0, {{"progress", {done, total}}}); };
  options.fits = [&call](const MemoryUse& needs) -> Task<Status> {
    Pending answer;
    const std::string question = dump_json(OrderedJson{{"needs", memory_json(needs)}});
    weft_ask(answer.number(), call.number, question.data(), question.size());
    WEFT_CO_CHECK_OK(co_await answer.ended("memory"));
    co_return Status{};
  };
  WEFT_CO_TRY(std::shared_ptr<LanguageModel> model,
              co_await LanguageModel::load(web().host, std::move(source), std::move(options)));
  OrderedJson out = {{"model", ++web().last}};
  out.update(model_json(*model));
  web().models[web().last] = std::move(model);
  co_return out;
}

Answer unload(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  std::erase_if(web().sessions, [&](const auto& entry) { return entry.second.model == model; });
  std::erase_if(web().models, [&](const auto& entry) { return entry.second == model; });
  co_return OrderedJson::object();
}

Answer open(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  WEFT_CO_TRY(std::shared_ptr<Session> session, co_await model->new_session());
  web().sessions[++web().last] = {model, std::move(session)};
  co_return OrderedJson{{"session", web().last}};
}

Answer close(Call& call) {
  WEFT_CO_TRY(const auto conversation, call.handle("session", web().sessions));
  std::erase_if(web().sessions, [&](const auto& e) { return e.second.session == conversation.session; });
  co_return OrderedJson::object();
}

Answer tokens(Call& call) {
  WEFT_CO_TRY(const auto conversation, call.handle("session", web().sessions));
  co_return OrderedJson{{"ids", conversation.session->tokens()}};
}

Result<std::string> now_of(const Call& call) {
  if (json_member(call.parameters, "now")) return call.text("now");
  return std::string();
}

Result<std::vector<int32_t>> prompt_of(Call& call, const LanguageModel& model) {
  if (json_member(call.parameters, "ids")) return call.ids("ids");
  if (!json_member(call.parameters, "messages")) {
    WEFT_TRY(const Tokenizer* tokenizer, model.require_tokenizer());
    WEFT_TRY(const std::string text, call.text("text"));
    return tokenizer->encode(text);
  }
  WEFT_TRY(const ChatPrompt chat, ChatPrompt::create(model));
  WEFT_TRY(const OrderedJson* messages, call.find("messages"));
  WEFT_TRY(const std::string now, now_of(call));
  return chat.ids(*messages, now);
}

Answer generate(Call& call) {
  WEFT_CO_TRY(const auto conversation, call.handle("session", web().sessions));
  WEFT_CO_TRY(GenerateRequest request, request_from_json(call.object("options")));
  WEFT_CO_TRY(request.prompt, prompt_of(call, *conversation.model));
  request.cancel = &call.cancel;
  const std::vector<int32_t> prompt = request.prompt;
  WEFT_CO_TRY(const Generated generated,
              co_await conversation.session->generate(
                  std::move(request), [&call](const TokenEvent& event) { call.reply(0, token_json(event)); }));
  co_return generated_json(generated, prompt, static_cast<int64_t>(__builtin_wasm_memory_size(0)) * 65536);
}

Answer tokenize(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  WEFT_CO_TRY(const Tokenizer* tokenizer, model->require_tokenizer());
  WEFT_CO_TRY(const std::string text, call.text("text"));
  WEFT_CO_TRY(const auto ids, tokenizer->encode(text, {.add_bos = call.flag("bos", true),
                                                       .parse_special = call.flag("special", true)}));
  co_return OrderedJson{{"ids", ids}};
}

Answer detokenize(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  WEFT_CO_TRY(const Tokenizer* tokenizer, model->require_tokenizer());
  WEFT_CO_TRY(const auto ids, call.ids("ids"));
  co_return OrderedJson{{"text", tokenizer->decode(ids)}};
}

Answer chat_template(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  WEFT_CO_TRY(const ChatPrompt chat, ChatPrompt::create(*model));
  WEFT_CO_TRY(const OrderedJson* messages, call.find("messages"));
  WEFT_CO_TRY(const std::string now, now_of(call));
  WEFT_CO_TRY(const std::string text, chat.text(*messages, now));
  co_return OrderedJson{{"text", text}};
}

Answer dump(Call& call) {
  WEFT_CO_TRY(const auto model, call.handle("model", web().models));
  WEFT_CO_TRY(const std::string what, call.text("what"));
  if (what == "graph") co_return OrderedJson{{"text", to_string(*model->model().graph("decode"))}};
  if (what == "decode") co_return OrderedJson{{"text", to_string(model->decode_plan())}};
  if (what == "prefill") co_return OrderedJson{{"text", to_string(model->prefill_plan())}};
  co_return fail(Code::invalid_argument, "dump", "what", "graph, decode or prefill", what);
}

Answer devices(Call&) {
  WEFT_CO_TRY(const auto adapters, co_await gpu_adapters(web().host));
  OrderedJson list = OrderedJson::array();
  for (const GpuInfo& gpu : adapters) list.push_back(gpu_json(gpu));
  co_return OrderedJson{{"devices", std::move(list)}};
}

Answer version(Call&) { co_return OrderedJson{{"version", WEFT_VERSION}}; }

constexpr std::pair<std::string_view, Answer (*)(Call&)> kMethods[] = {
    {"load", load},         {"unload", unload},         {"open", open},
    {"close", close},       {"tokens", tokens},         {"generate", generate},
    {"tokenize", tokenize}, {"detokenize", detokenize}, {"template", chat_template},
    {"dump", dump},         {"devices", devices},       {"version", version}};

Task<void> answer(Call& call) {
  const auto* method = std::ranges::find(kMethods, call.method, &std::pair<std::string_view, Answer (*)(Call&)>::first);
  Result<OrderedJson> result = fail(Code::invalid_argument, "weft", "method", "a known one", call.method);
  if (method != std::end(kMethods)) result = co_await method->second(call);
  if (result) {
    call.reply(1, *result);
  } else {
    const Error& error = result.error();
    call.reply(2, {{"code", code_name(error.code)},
                   {"message", error.message()},
                   {"where", error.where},
                   {"hint", error.hint.empty() ? std::string(code_hint(error.code)) : error.hint}});
  }
}

std::list<Call>& calls() {
  static std::list<Call> list;
  return list;
}

// Text that JavaScript allocated here.
std::string take_text(char* text, size_t length) {
  std::string out(text, length);
  std::free(text);
  return out;
}

}  // namespace
}  // namespace weft

#define WEFT_EXPORT(name) extern "C" __attribute__((export_name(#name)))

WEFT_EXPORT(weft_alloc) void* weft_alloc(size_t bytes) { return std::malloc(bytes); }

// Both texts were allocated with weft_alloc, and are freed here. `number` is the caller's, of no other running call.
WEFT_EXPORT(weft_call)
void weft_call(uint32_t number, char* method, size_t method_length, char* parameters, size_t length) {
  using namespace weft;
  calls().remove_if([](const Call& call) { return call.task->done(); });
  Call& call = calls().emplace_back();
  call.number = number;
  call.method = take_text(method, method_length);
  auto parsed = parse_ordered_json(take_text(parameters, length), call.method);
  call.parameters = parsed ? *std::move(parsed) : OrderedJson();
  call.task = answer(call);
  call.task->start();
}

WEFT_EXPORT(weft_cancel) void weft_cancel(uint32_t number) {
  for (weft::Call& call : weft::calls())
    if (call.number == number) call.cancel.cancel();
}

// code: of weft::Code. The text was allocated with weft_alloc, or is null.
WEFT_EXPORT(weft_settle) void weft_settle(uint32_t operation, int32_t code, char* text, size_t length) {
  weft::settle(operation, static_cast<weft::Code>(code), text ? weft::take_text(text, length) : std::string());
}
