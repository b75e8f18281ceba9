// Weft's C++ interface: header-only, C++20, over the C interface (weft.h), so that it works with any compiler and
// standard library. Link with libweft only.
//
//   auto model = weft::Model::load("model.gguf");                  // or weft::Model::load() for the built-in model
//   if (!model) { std::cerr << model.error().message << '\n'; return 1; }
//   auto session = model->new_session();
//   weft::GenerateOptions options;
//   options.max_tokens = 100;
//   auto answer = session->generate("Once upon a time", options, [](const weft::Token& token) {
//     std::cout << token.text << std::flush;
//     return true;                                                 // false stops the answer
//   });
//   if (answer) std::cout << '\n' << answer->json() << '\n';
//
// Errors are values: weft::Result<T> holds a T or an Error. Nothing here throws, except what a callback throws: do not.
// Threads: as in weft.h. Objects are moved, not copied; a session may outlive its Model object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "weft/weft.h"

namespace weft {

struct Error {
  int32_t code = 0;
  std::string name;     // "bad-file", docs/errors.md
  std::string message;  // one line
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}
  bool has_value() const { return held_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  // The value; only if there is one.
  T& operator*() & { return *std::get_if<0>(&held_); }
  const T& operator*() const& { return *std::get_if<0>(&held_); }
  T&& operator*() && { return std::move(*std::get_if<0>(&held_)); }
  T* operator->() { return std::get_if<0>(&held_); }
  const T* operator->() const { return std::get_if<0>(&held_); }
  // The error; only if there is one.
  const Error& error() const { return *std::get_if<1>(&held_); }

 private:
  std::variant<T, Error> held_;
};
using Status = Result<std::monostate>;

enum class LogLevel { debug = WEFT_LOG_DEBUG, info = WEFT_LOG_INFO, warning = WEFT_LOG_WARNING };

struct LoadOptions {
  std::string device = "auto", kv = "f16";
  int32_t threads = 0;   // 0: as many as the processor has
  int32_t sessions = 1;  // at the same time
  int64_t context = 0;   // tokens; 0: the model's own, at most 4096
  int64_t prefill_chunk = 0;
  std::function<bool(int64_t done, int64_t total)> on_progress;  // bytes; false cancels
  std::function<void(LogLevel, std::string_view)> on_log;        // kept as long as the model lives
};

struct Token {
  int32_t id = 0;         // -1: only the rest of the text
  std::string_view text;  // whole characters, may be empty; valid during the call
  float logprob = 0;
};
using OnToken = std::function<bool(const Token&)>;  // false stops

struct GenerateOptions {  // defaults as in weft.h
  int64_t max_tokens = -1;
  float temperature = 0.8f;
  int32_t top_k = 40;
  float top_p = 0.95f, min_p = 0.05f;
  float repeat_penalty = 1, frequency_penalty = 0, presence_penalty = 0;
  int32_t penalty_last_n = 64;
  uint64_t seed = 0;
  int32_t logprobs = -1;
  bool ignore_end = false;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_ids;
  std::vector<std::pair<int32_t, float>> bias;
};

struct Message {
  std::string role, content;
};

inline std::string_view version() { return weft_version(); }

namespace detail {

inline Error error_of(const weft_error& error) { return {error.code, error.name, error.message}; }
inline Status status_of(int32_t code, const weft_error& error) {
  if (code != 0) return error_of(error);
  return std::monostate{};
}

struct Free {
  void operator()(void* memory) const { weft_free(memory); }
  void operator()(weft_model* model) const { weft_model_free(model); }
  void operator()(weft_session* session) const { weft_session_free(session); }
  void operator()(weft_result* result) const { weft_result_free(result); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

inline std::string json_string(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4 & 15];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

}  // namespace detail

class Generated {
 public:
  explicit Generated(weft_result* result) : result_(result) {}
  std::string_view text() const {
    size_t length = 0;
    const char* text = weft_result_text(result_.get(), &length);
    return {text, length};
  }
  std::span<const int32_t> ids() const {
    size_t count = 0;
    const int32_t* ids = weft_result_ids(result_.get(), &count);
    return {ids, count};
  }
  std::string_view stop() const { return weft_result_stop(result_.get()); }  // "end-token", "max-tokens" …
  std::string_view json() const { return weft_result_json(result_.get()); }  // all of it, with statistics

 private:
  detail::Owned<weft_result> result_;
};

class Session {
 public:
  Session(weft_session* session, std::shared_ptr<const void> callbacks)
      : callbacks_(std::move(callbacks)), session_(session) {}

  Result<Generated> generate(std::string_view prompt, const GenerateOptions& options = {}, OnToken on_token = {}) {
    const std::string text(prompt);
    return run(options, on_token, [&](const weft_generate_options* o, weft_result** out, weft_error* error) {
      return weft_generate(session_.get(), text.c_str(), o, out, error);
    });
  }
  Result<Generated> generate(std::span<const int32_t> prompt, const GenerateOptions& options = {},
                             OnToken on_token = {}) {
    return run(options, on_token, [&](const weft_generate_options* o, weft_result** out, weft_error* error) {
      return weft_generate_ids(session_.get(), prompt.data(), prompt.size(), o, out, error);
    });
  }
  // The next message of a conversation, given whole each time.
  Result<Generated> chat(std::span<const Message> messages, const GenerateOptions& options = {},
                         OnToken on_token = {}) {
    std::string json = "[";
    for (const Message& message : messages) {
      if (json.size() > 1) json += ',';
      json += "{\"role\":" + detail::json_string(message.role) +
              ",\"content\":" + detail::json_string(message.content) + "}";
    }
    json += ']';
    return chat_json(json, options, std::move(on_token));
  }
  Result<Generated> chat_json(const std::string& messages, const GenerateOptions& options = {}, OnToken on_token = {}) {
    return run(options, on_token, [&](const weft_generate_options* o, weft_result** out, weft_error* error) {
      return weft_chat(session_.get(), messages.c_str(), o, out, error);
    });
  }

  void cancel() { weft_cancel(session_.get()); }  // from any thread
  Status reset() {
    weft_error error;
    const int32_t code = weft_session_reset(session_.get(), &error);
    return detail::status_of(code, error);
  }
  Result<std::vector<std::byte>> save() {
    void* bytes = nullptr;
    size_t size = 0;
    weft_error error;
    if (weft_session_save(session_.get(), &bytes, &size, &error) != 0) return detail::error_of(error);
    const detail::Owned<void> owned(bytes);
    const auto* begin = static_cast<const std::byte*>(bytes);
    return std::vector<std::byte>(begin, begin + size);
  }
  Status restore(std::span<const std::byte> bytes) {
    weft_error error;
    const int32_t code = weft_session_restore(session_.get(), bytes.data(), bytes.size(), &error);
    return detail::status_of(code, error);
  }

 private:
  template <class Call>
  Result<Generated> run(const GenerateOptions& given, const OnToken& on_token, Call call) {
    std::vector<const char*> stop;
    for (const std::string& text : given.stop) stop.push_back(text.c_str());
    std::vector<int32_t> bias_ids;
    std::vector<float> bias;
    for (const auto& [id, value] : given.bias) {
      bias_ids.push_back(id);
      bias.push_back(value);
    }
    weft_generate_options o;
    weft_generate_options_init(&o, sizeof o);
    o.max_tokens = given.max_tokens;
    o.temperature = given.temperature;
    o.top_k = given.top_k;
    o.top_p = given.top_p;
    o.min_p = given.min_p;
    o.repeat_penalty = given.repeat_penalty;
    o.frequency_penalty = given.frequency_penalty;
    o.presence_penalty = given.presence_penalty;
    o.penalty_last_n = given.penalty_last_n;
    o.seed = given.seed;
    o.logprobs = given.logprobs;
    o.ignore_end = given.ignore_end;
    o.stop = stop.data();
    o.stop_count = stop.size();
    o.stop_ids = given.stop_ids.data();
    o.stop_id_count = given.stop_ids.size();
    o.bias_ids = bias_ids.data();
    o.bias = bias.data();
    o.bias_count = bias.size();
    if (on_token) {
      o.user = const_cast<OnToken*>(&on_token);
      o.on_token = [](void* user, const weft_token* token) {
        return (*static_cast<OnToken*>(user))({token->id, {token->text, token->text_length}, token->logprob}) ? 0 : 1;
      };
    }
    weft_result* result = nullptr;
    weft_error error;
    if (call(&o, &result, &error) != 0) return detail::error_of(error);
    return Generated(result);
  }

  std::shared_ptr<const void> callbacks_;  // the model's, which may be called while the session lives
  detail::Owned<weft_session> session_;
};

class Model {
 public:
  // The model built into the library.
  static Result<Model> load(LoadOptions options = {}) { return load_file(nullptr, std::move(options)); }
  static Result<Model> load(const std::string& path, LoadOptions options = {}) {
    return load_file(path.c_str(), std::move(options));
  }

  Result<Session> new_session() {
    weft_session* session = nullptr;
    weft_error error;
    if (weft_session_new(model_.get(), &session, &error) != 0) return detail::error_of(error);
    return Session(session, options_);
  }
  Result<std::string> info() const {  // JSON
    char* json = nullptr;
    weft_error error;
    if (weft_model_info(model_.get(), &json, &error) != 0) return detail::error_of(error);
    const detail::Owned<char> owned(json);
    return std::string(json);
  }
  Result<std::vector<int32_t>> tokenize(std::string_view text, bool add_bos = true, bool parse_special = true) const {
    int32_t* ids = nullptr;
    size_t count = 0;
    weft_error error;
    const uint32_t flags = (add_bos ? 0 : WEFT_TOKENIZE_NO_BOS) | (parse_special ? 0 : WEFT_TOKENIZE_NO_SPECIAL);
    if (weft_tokenize(model_.get(), text.data(), text.size(), flags, &ids, &count, &error) != 0)
      return detail::error_of(error);
    const detail::Owned<int32_t> owned(ids);
    return std::vector<int32_t>(ids, ids + count);
  }
  Result<std::string> detokenize(std::span<const int32_t> ids) const {
    char* text = nullptr;
    size_t length = 0;
    weft_error error;
    if (weft_detokenize(model_.get(), ids.data(), ids.size(), &text, &length, &error) != 0)
      return detail::error_of(error);
    const detail::Owned<char> owned(text);
    return std::string(text, length);
  }

 private:
  Model(weft_model* model, std::shared_ptr<LoadOptions> options) : options_(std::move(options)), model_(model) {}

  static Result<Model> load_file(const char* path, LoadOptions given) {
    auto options = std::make_shared<LoadOptions>(std::move(given));  // at a fixed place: callbacks refer to it
    weft_load_options o;
    weft_load_options_init(&o, sizeof o);
    o.device = options->device.c_str();
    o.kv = options->kv.c_str();
    o.threads = options->threads;
    o.sessions = options->sessions;
    o.context = options->context;
    o.prefill_chunk = options->prefill_chunk;
    o.user = options.get();
    if (options->on_progress)
      o.on_progress = [](void* user, int64_t done, int64_t total) {
        return static_cast<LoadOptions*>(user)->on_progress(done, total) ? 0 : 1;
      };
    if (options->on_log)
      o.on_log = [](void* user, weft_log_level level, const char* text) {
        static_cast<LoadOptions*>(user)->on_log(static_cast<LogLevel>(level), text);
      };
    weft_model* model = nullptr;
    weft_error error;
    if (weft_load(path, &o, &model, &error) != 0) return detail::error_of(error);
    return Model(model, std::move(options));
  }

  std::shared_ptr<LoadOptions> options_;  // before model_, so that it is destroyed after it
  detail::Owned<weft_model> model_;
};

}  // namespace weft
