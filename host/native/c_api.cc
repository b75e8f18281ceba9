// The C interface over LanguageModel and Session: handles, sized structs, errors as codes. No exception is thrown or
// caught: the core is built without.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "gpu_cache.h"
#include "native_host.h"
#include "session/chat.h"
#include "session/json.h"
#include "session/session.h"
#include "weft/weft.h"

namespace {

using weft::Code;
using weft::fail;
using weft::Result;
using weft::Status;

// What a model and its sessions share, and the lock that puts calls on it in a row.
struct Core {
  explicit Core(weft::NativeHost::LogSink log) : host(std::move(log)) {}
  std::mutex mutex;
  weft::NativeHost host;
  std::unique_ptr<weft::LanguageModel> model;

  template <class T>
  T wait(weft::Task<T> task) {
    return weft::run_to_end(std::move(task), [this] { host.poll(); });
  }
};

template <size_t N>
void copy_text(char (&out)[N], std::string_view text) {
  // A cut never parts a character.
  size_t size = std::min(text.size(), N - 1);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  std::memcpy(out, text.data(), size);
  out[size] = 0;
}

int32_t report(const Status& status, weft_error* error) {
  const Code code = status ? Code::ok : status.error().code;
  if (error) {
    error->code = static_cast<int32_t>(code);
    copy_text(error->name, weft::code_name(code));
    copy_text(error->message, status ? std::string() : status.error().message());
  }
  return static_cast<int32_t>(code);
}

std::unexpected<weft::Error> missing(const char* argument) {
  return fail(Code::invalid_argument, "weft.h", argument, "not NULL", "NULL");
}

template <class T>
T* copy_out(const T* data, size_t count) {  // with a zero after it
  T* out = static_cast<T*>(std::malloc((count + 1) * sizeof(T)));
  if (!out) std::abort();
  if (count > 0) std::memcpy(out, data, count * sizeof(T));
  std::memset(out + count, 0, sizeof(T));
  return out;
}

// The caller's struct may be of an earlier or later version of this header: the fields both know are taken.
template <class T>
Result<T> options_of(const T* given, void (*init)(T*, size_t), const char* name) {
  T options;
  init(&options, sizeof options);
  if (!given) return options;
  if (given->size < sizeof(size_t) || given->size > 65536)
    return fail(Code::invalid_argument, "weft.h", name, "a struct made by its _init function", "another size");
  std::memcpy(&options, given, std::min(given->size, sizeof options));
  return options;
}

template <class T>
void init_struct(T* out, size_t size, T defaults) {
  if (!out || size < sizeof(size_t)) return;
  std::memset(static_cast<void*>(out), 0, size);
  defaults.size = size;
  std::memcpy(static_cast<void*>(out), &defaults, std::min(size, sizeof defaults));
}

}  // namespace

struct weft_model {
  std::shared_ptr<Core> core;
};

struct weft_session {
  std::shared_ptr<Core> core;
  std::unique_ptr<weft::Session> session;
  weft::CancelFlag cancel;
  ~weft_session() {
    std::lock_guard lock(core->mutex);
    session.reset();
  }
};

struct weft_result {
  weft::Generated generated;
  std::string json;
};

namespace {

Result<weft_model*> load(const char* path, const weft_load_options* given) {
  WEFT_TRY(const weft_load_options o, options_of(given, weft_load_options_init, "weft_load_options"));
  weft::LoadOptions options;
  if (o.device) options.device = o.device;
  if (o.kv) {
    const auto kv = weft::dtype_from_name(o.kv);
    if (!kv) return fail(Code::invalid_argument, "weft.h", "kv", "f32, f16 or q8_0", o.kv);
    options.kv = *kv;
  }
  options.threads = o.threads;
  options.slots = o.sessions;
  options.context = o.context;
  if (o.prefill_chunk != 0) options.prefill_chunk = o.prefill_chunk;
  weft::CancelFlag cancel;
  options.cancel = &cancel;
  if (o.on_progress)
    options.progress = [&](int64_t done, int64_t total) {
      if (o.on_progress(o.user, done, total) != 0) cancel.cancel();
    };
  weft::NativeHost::LogSink log;
  if (o.on_log)
    log = [on_log = o.on_log, user = o.user](weft::LogLevel level, std::string_view text) {
      on_log(user, static_cast<weft_log_level>(level), std::string(text).c_str());
    };
  auto core = std::make_shared<Core>(std::move(log));
  options.tuning = [&host = core->host](const weft::Caps& caps) { return weft::cached_tuning(host, caps.gpu); };
  const std::string file = path ? path : weft::kBuiltinModel;
  WEFT_TRY(core->model, core->wait(weft::LanguageModel::load(core->host, file, std::move(options))));
  return new weft_model{std::move(core)};
}

Result<weft::GenerateRequest> request_of(const weft_generate_options& o) {
  weft::GenerateRequest request;
  request.max_tokens = o.max_tokens;
  request.ignore_end = o.ignore_end != 0;
  request.sampling = {.temperature = o.temperature,
                      .top_k = o.top_k,
                      .top_p = o.top_p,
                      .min_p = o.min_p,
                      .repeat_penalty = o.repeat_penalty,
                      .frequency_penalty = o.frequency_penalty,
                      .presence_penalty = o.presence_penalty,
                      .penalty_last_n = o.penalty_last_n,
                      .seed = o.seed,
                      .logprobs = o.logprobs};
  if (o.stop_count > 0 && !o.stop) return missing("stop");
  if (o.stop_id_count > 0 && !o.stop_ids) return missing("stop_ids");
  if (o.bias_count > 0 && (!o.bias_ids || !o.bias)) return missing("bias_ids or bias");
  for (size_t i = 0; i < o.stop_count; ++i) {
    if (!o.stop[i]) return missing("stop string");
    request.stop.emplace_back(o.stop[i]);
  }
  request.stop_ids.assign(o.stop_ids, o.stop_ids + o.stop_id_count);
  for (size_t i = 0; i < o.bias_count; ++i) request.sampling.logit_bias.emplace_back(o.bias_ids[i], o.bias[i]);
  return request;
}

Result<std::string> chat_text(const Core& core, const char* messages_json) {
  WEFT_TRY(const auto chat, weft::ChatPrompt::create(*core.model));
  WEFT_TRY(const auto messages, weft::parse_ordered_json(messages_json, "messages"));
  return chat.text(messages, weft::local_time_iso());
}

// `make_prompt` runs under the model's lock.
template <class MakePrompt>
Status generate(weft_session* session, const weft_generate_options* given, weft_result** result,
                MakePrompt make_prompt) {
  if (!session) return missing("session");
  WEFT_TRY(const weft_generate_options o, options_of(given, weft_generate_options_init, "weft_generate_options"));
  WEFT_TRY(weft::GenerateRequest request, request_of(o));
  std::lock_guard lock(session->core->mutex);
  session->cancel.reset();
  WEFT_TRY(request.prompt, make_prompt());
  request.cancel = &session->cancel;
  std::function<void(const weft::TokenEvent&)> on_token;
  std::string text;
  if (o.on_token)
    on_token = [&](const weft::TokenEvent& event) {
      text = event.text;  // NUL-terminated
      const bool logprob = event.sampled && o.logprobs >= 0;
      const weft_token token{sizeof(weft_token), event.id, text.c_str(), text.size(),
                             logprob ? event.sampled->chosen.logprob : 0};
      if (o.on_token(o.user, &token) != 0) session->cancel.cancel();
    };
  const std::vector<int32_t> prompt = request.prompt;
  WEFT_TRY(weft::Generated generated,
           session->core->wait(session->session->generate(std::move(request), std::move(on_token))));
  if (result) {
    std::string json = weft::dump_json(weft::generated_json(generated, prompt, weft::peak_memory_bytes()));
    *result = new weft_result{std::move(generated), std::move(json)};
  }
  return {};
}

}  // namespace

extern "C" {

const char* weft_version(void) { return WEFT_VERSION; }
void weft_free(void* memory) { std::free(memory); }

void weft_load_options_init(weft_load_options* options, size_t size) {
  weft_load_options defaults{};
  defaults.sessions = 1;
  init_struct(options, size, defaults);
}

void weft_generate_options_init(weft_generate_options* options, size_t size) {
  const weft::SamplingOptions sampling;
  weft_generate_options defaults{};
  defaults.max_tokens = -1;
  defaults.temperature = sampling.temperature;
  defaults.top_k = sampling.top_k;
  defaults.top_p = sampling.top_p;
  defaults.min_p = sampling.min_p;
  defaults.repeat_penalty = sampling.repeat_penalty;
  defaults.penalty_last_n = sampling.penalty_last_n;
  defaults.logprobs = sampling.logprobs;
  init_struct(options, size, defaults);
}

int32_t weft_load(const char* path, const weft_load_options* options, weft_model** model, weft_error* error) {
  if (!model) return report(missing("model"), error);
  auto loaded = load(path, options);
  if (!loaded) return report(fail(std::move(loaded).error()), error);
  *model = *loaded;
  return report({}, error);
}

void weft_model_free(weft_model* model) { delete model; }

int32_t weft_model_info(weft_model* model, char** json, weft_error* error) {
  if (!model || !json) return report(missing("model or json"), error);
  std::lock_guard lock(model->core->mutex);
  const std::string text = weft::dump_json(weft::model_json(*model->core->model));
  *json = copy_out(text.data(), text.size());
  return report({}, error);
}

int32_t weft_tokenize(weft_model* model, const char* text, size_t length, uint32_t flags, int32_t** ids, size_t* count,
                      weft_error* error) {
  if (!model || (!text && length > 0) || !ids || !count) return report(missing("model, text, ids or count"), error);
  auto tokenizer = model->core->model->require_tokenizer();  // never changes: no lock
  if (!tokenizer) return report(fail(std::move(tokenizer).error()), error);
  auto encoded = (*tokenizer)
                     ->encode({text, length}, {.add_bos = !(flags & WEFT_TOKENIZE_NO_BOS),
                                               .parse_special = !(flags & WEFT_TOKENIZE_NO_SPECIAL)});
  if (!encoded) return report(fail(std::move(encoded).error()), error);
  *ids = copy_out(encoded->data(), encoded->size());
  *count = encoded->size();
  return report({}, error);
}

int32_t weft_detokenize(weft_model* model, const int32_t* ids, size_t count, char** text, size_t* length,
                        weft_error* error) {
  if (!model || (!ids && count > 0) || !text) return report(missing("model, ids or text"), error);
  auto tokenizer = model->core->model->require_tokenizer();
  if (!tokenizer) return report(fail(std::move(tokenizer).error()), error);
  const std::string decoded = (*tokenizer)->decode({ids, count});
  *text = copy_out(decoded.data(), decoded.size());
  if (length) *length = decoded.size();
  return report({}, error);
}

int32_t weft_apply_template(weft_model* model, const char* messages_json, char** prompt, weft_error* error) {
  if (!model || !messages_json || !prompt) return report(missing("model, messages_json or prompt"), error);
  auto text = chat_text(*model->core, messages_json);
  if (!text) return report(fail(std::move(text).error()), error);
  *prompt = copy_out(text->data(), text->size());
  return report({}, error);
}

int32_t weft_session_new(weft_model* model, weft_session** session, weft_error* error) {
  if (!model || !session) return report(missing("model or session"), error);
  auto made = std::make_unique<weft_session>();
  made->core = model->core;
  Status status;
  {
    std::lock_guard lock(made->core->mutex);
    auto inner = made->core->wait(made->core->model->new_session());
    if (inner) {
      made->session = *std::move(inner);
    } else {
      status = fail(std::move(inner).error());
    }
  }
  if (status) *session = made.release();
  return report(status, error);
}

void weft_session_free(weft_session* session) { delete session; }

int32_t weft_session_reset(weft_session* session, weft_error* error) {
  if (!session) return report(missing("session"), error);
  std::lock_guard lock(session->core->mutex);
  return report(session->core->wait(session->session->reset()), error);
}

int32_t weft_session_save(weft_session* session, void** bytes, size_t* size, weft_error* error) {
  if (!session || !bytes || !size) return report(missing("session, bytes or size"), error);
  std::lock_guard lock(session->core->mutex);
  auto saved = session->core->wait(session->session->save());
  if (!saved) return report(fail(std::move(saved).error()), error);
  *bytes = copy_out(saved->data(), saved->size());
  *size = saved->size();
  return report({}, error);
}

int32_t weft_session_restore(weft_session* session, const void* bytes, size_t size, weft_error* error) {
  if (!session || (!bytes && size > 0)) return report(missing("session or bytes"), error);
  std::lock_guard lock(session->core->mutex);
  return report(session->core->wait(session->session->restore({static_cast<const std::byte*>(bytes), size})), error);
}

int32_t weft_generate(weft_session* session, const char* prompt, const weft_generate_options* options,
                      weft_result** result, weft_error* error) {
  if (!prompt) return report(missing("prompt"), error);
  return report(generate(session, options, result,
                         [&]() -> Result<std::vector<int32_t>> {
                           WEFT_TRY(const weft::Tokenizer* tokenizer, session->core->model->require_tokenizer());
                           return tokenizer->encode(prompt);
                         }),
                error);
}

int32_t weft_generate_ids(weft_session* session, const int32_t* prompt, size_t count,
                          const weft_generate_options* options, weft_result** result, weft_error* error) {
  if (!prompt && count > 0) return report(missing("prompt"), error);
  return report(generate(session, options, result,
                         [&]() -> Result<std::vector<int32_t>> { return std::vector(prompt, prompt + count); }),
                error);
}

int32_t weft_chat(weft_session* session, const char* messages_json, const weft_generate_options* options,
                  weft_result** result, weft_error* error) {
  if (!messages_json) return report(missing("messages_json"), error);
  return report(generate(session, options, result,
                         [&]() -> Result<std::vector<int32_t>> {
                           WEFT_TRY(const auto chat, weft::ChatPrompt::create(*session->core->model));
                           WEFT_TRY(const auto messages, weft::parse_ordered_json(messages_json, "messages"));
                           return chat.ids(messages, weft::local_time_iso());
                         }),
                error);
}

void weft_cancel(weft_session* session) {
  if (session) session->cancel.cancel();
}

const char* weft_result_text(const weft_result* result, size_t* length) {
  if (length) *length = result->generated.text.size();
  return result->generated.text.c_str();
}
const int32_t* weft_result_ids(const weft_result* result, size_t* count) {
  if (count) *count = result->generated.ids.size();
  return result->generated.ids.data();
}
const char* weft_result_stop(const weft_result* result) {
  return weft::stop_reason_name(result->generated.stop).data();
}
const char* weft_result_json(const weft_result* result) { return result->json.c_str(); }
void weft_result_free(weft_result* result) { delete result; }

}  // extern "C"
