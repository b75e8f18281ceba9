// From a path to a model that is ready to run.
#include <algorithm>
#include <cstdio>

#include "cpu/cpu_device.h"
#include "file/tensor_file.h"
#include "gpu/webgpu_device.h"
#include "models/registry.h"
#include "session/model_impl.h"

namespace weft {
namespace {

constexpr int64_t kDefaultContext = 4096;
constexpr int64_t kMaxChunk = 4096, kMaxSlots = 1024, kMaxThreads = 256;

std::string megabytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

Status in_range(std::string what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return fail(Code::invalid_argument, "load", std::move(what),
              "from " + std::to_string(least) + " to " + std::to_string(most), std::to_string(value));
}

Status check_options(const LoadOptions& o) {
  WEFT_CHECK_OK(in_range("prefill chunk", o.prefill_chunk, 0, kMaxChunk));
  WEFT_CHECK_OK(in_range("slots", o.slots, 1, kMaxSlots));
  WEFT_CHECK_OK(in_range("burst", o.burst, 0, (TokenLoop::kMaxAhead - 1) / 2));  // two are under way, and a token
  WEFT_CHECK_OK(in_range("threads", o.threads, 0, kMaxThreads));
  if (o.context < 0) return in_range("context", o.context, 0, INT64_MAX);
  if (o.kv != DType::f32 && o.kv != DType::f16 && o.kv != DType::q8_0)
    return fail(Code::invalid_argument, "load", "type of the KV cache", "f32, f16 or q8_0", std::string(name(o.kv)));
  if (o.device != "auto" && o.device != "cpu" && o.device != "webgpu")
    return fail(Code::invalid_argument, "load", "device", "auto, cpu or webgpu", o.device);
  return {};
}

Result<int64_t> choose_context(const Model& model, int64_t asked) {
  const int64_t longest = model.context_length;
  if (asked > longest && longest > 0)
    return fail(Code::invalid_argument, model.architecture, "context", "at most the model's " + std::to_string(longest),
                std::to_string(asked));
  if (asked > 0) return asked;
  return longest > 0 ? std::min(longest, kDefaultContext) : kDefaultContext;
}

}  // namespace

Task<Result<std::unique_ptr<Device>>> open_device(Host& host, const LoadOptions& o) {
  if (o.make_device) co_return o.make_device(host);
  if (o.device != "cpu") {
    GpuOptions options = o.gpu;
    if (o.device == "auto") options.allow_software = false;
    auto gpu = co_await open_gpu(host, options);
    if (gpu) {
      WEFT_CO_TRY(auto device, co_await make_webgpu_device(host, *std::move(gpu)));
      if (auto tuning = o.tuning ? o.tuning(device->caps()) : nullptr) {
        host.log(LogLevel::info, std::to_string(tuning->choices.size()) + " kernels tuned for this GPU");
        device->set_tuning(std::move(tuning));
      }
      co_return device;
    }
    if (o.device == "webgpu") co_return std::unexpected(std::move(gpu).error());
    host.log(LogLevel::info, "on the CPU: " + gpu.error().message());
  }
  co_return make_cpu_device(host, o.threads, o.cpu_level);
}

int64_t prefill_tokens(const LoadOptions& options, const Caps& caps, int64_t context) {
  const int64_t usual = caps.kind == Caps::Kind::webgpu ? 512 : 128;
  return std::min(options.prefill_chunk > 0 ? options.prefill_chunk : usual, context);
}

Task<Status> LanguageModel::Impl::prepare() {
  LoadOptions& o = options;
  WEFT_CO_TRY(context, choose_context(model, o.context));
  const Graph* decode = model.graph("decode");
  if (!decode) co_return fail(Code::unsupported, path, "model", "a graph from token ids to logits", model.architecture);
  WEFT_CO_TRY(device, co_await open_device(host, o));
  Caps untuned = device->caps();
  untuned.tuning = nullptr;  // what was tuned are the kernels of the graph that passes make without it
  WEFT_CO_TRY(graph, run_passes(*decode, model, untuned, o.disabled_passes));
  WEFT_CO_TRY(graph_of_one, run_passes(*decode, model, {untuned, 1}, o.disabled_passes));
  WEFT_CO_TRY(one, plan_for(1, 1));
  WEFT_CO_TRY(chunk, plan_for(prefill_tokens(o, device->caps(), context), 1));

  const Plan* const plans[] = {&one->plan, &chunk->plan};
  const MemoryUse need = memory_needed(model, plans);
  host.log(LogLevel::info, path + ": " + model.architecture + " on " + device->caps().name + ", needs " +
                               megabytes(need.weights + need.states + need.activations) + ": weights " +
                               megabytes(need.weights) + ", state for " + std::to_string(context) + " tokens " +
                               megabytes(need.states) + ", working memory " + megabytes(need.activations));
  if (o.fits) WEFT_CO_CHECK_OK(co_await o.fits(need));
  WEFT_CO_CHECK_OK(co_await device->load(model, plans, *reader, o.progress, o.cancel));
  const std::vector<std::pair<std::string, int64_t>> sizes{{"N", o.slots}, {"S", context}};
  WEFT_CO_CHECK_OK(co_await device->create_states(model, sizes));
  for (StepPlan* plan : {one.get(), chunk.get()}) {
    WEFT_CO_CHECK_OK(co_await device->prepare(plan->plan));
    plan->prepared = true;
  }
  slot_taken.assign(static_cast<size_t>(o.slots), false);
  burst = BurstSize(o.burst);
  o.progress = nullptr, o.fits = nullptr;  // what they refer to need not outlive the load
  o.cancel = nullptr;
  co_return Status{};
}

Task<Result<std::unique_ptr<LanguageModel>>> LanguageModel::load(Host& host, std::string path, LoadOptions options) {
  const double begin = host.now();
  WEFT_CO_CHECK_OK(check_options(options));
  auto impl = std::make_shared<Impl>(host);
  impl->path = path;
  impl->options = std::move(options);

  WEFT_CO_TRY(auto file, co_await open_tensor_file(host, path));
  WEFT_CO_TRY(impl->weights, Weights::create(file));
  WEFT_CO_TRY(impl->model, co_await build_model(*impl->weights, {.kv = impl->options.kv}));
  auto tokenizer = file->format() == FileFormat::gguf
                       ? Tokenizer::from_metadata(file->metadata())
                       : Tokenizer::from_json(file->tokenizer_json, file->tokenizer_config_json, path);
  if (tokenizer) {
    impl->tokenizer = *std::move(tokenizer);
  } else {
    impl->tokenizer_error = std::move(tokenizer.error());
    // A file made without one is as its maker meant it; one that this build cannot read is a surprise.
    const bool none = impl->tokenizer_error->code == Code::no_tokenizer;
    host.log(none ? LogLevel::info : LogLevel::warning, "no text, token ids only: " + impl->tokenizer_error->message());
  }
  if (const auto* ends = file->metadata().peek<std::vector<int64_t>>("weft.eos_token_ids"))
    for (int64_t id : *ends) impl->end_ids.push_back(static_cast<int32_t>(id));
  WEFT_CO_TRY(impl->reader, FileWeightReader::create(impl->weights, impl->model));
  WEFT_CO_CHECK_OK(co_await impl->prepare());
  impl->load_ms = (host.now() - begin) * 1000;
  co_return std::unique_ptr<LanguageModel>(new LanguageModel(std::move(impl)));
}

Task<Result<std::unique_ptr<LanguageModel>>> LanguageModel::create(Host& host, Model model,
                                                                   std::unique_ptr<WeightReader> reader,
                                                                   LoadOptions options) {
  WEFT_CO_CHECK_OK(check_options(options));
  auto impl = std::make_shared<Impl>(host);
  impl->path = model.architecture;
  impl->options = std::move(options);
  impl->model = std::move(model);
  impl->reader = std::move(reader);
  impl->tokenizer_error = fail(Code::no_tokenizer, impl->path, "tokenizer", "one", "none").error();
  WEFT_CO_CHECK_OK(co_await impl->prepare());
  co_return std::unique_ptr<LanguageModel>(new LanguageModel(std::move(impl)));
}

LanguageModel::LanguageModel(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
LanguageModel::~LanguageModel() = default;

const Weights& LanguageModel::weights() const { return *impl_->weights; }
const Model& LanguageModel::model() const { return impl_->model; }
const Tokenizer* LanguageModel::tokenizer() const { return impl_->tokenizer.get(); }
Result<const Tokenizer*> LanguageModel::require_tokenizer() const {
  if (impl_->tokenizer) return impl_->tokenizer.get();
  return fail(*impl_->tokenizer_error);
}
std::string LanguageModel::chat_template() const {
  const auto* text = impl_->weights->metadata().peek<std::string>("tokenizer.chat_template");
  return text ? *text : std::string();
}
const Caps& LanguageModel::caps() const { return impl_->device->caps(); }
MemoryUse LanguageModel::memory() const { return impl_->device->memory(); }
int64_t LanguageModel::context() const { return impl_->context; }
double LanguageModel::load_ms() const { return impl_->load_ms; }
Device& LanguageModel::device() { return *impl_->device; }
const Plan& LanguageModel::decode_plan() const { return impl_->one->plan; }
const Plan& LanguageModel::prefill_plan() const { return impl_->chunk->plan; }
Host& LanguageModel::host() { return impl_->host; }

Task<Result<std::unique_ptr<Session>>> LanguageModel::new_session() {
  auto& taken = impl_->slot_taken;
  const auto free = std::find(taken.begin(), taken.end(), false);
  if (free == taken.end())
    co_return fail(Code::invalid_argument, "session", "free slots", "at least one of " + std::to_string(taken.size()),
                   "none", "load the model with more slots, or end a session");
  *free = true;
  auto impl = std::make_unique<Session::Impl>(impl_, static_cast<int32_t>(free - taken.begin()));
  WEFT_CO_CHECK_OK(co_await impl->clear_states());  // a session before may have used the slot
  co_return std::unique_ptr<Session>(new Session(std::move(impl)));
}

}  // namespace weft
