#include "gpu/gpu_sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace weft {
namespace {

// As in sample_parts.wgsl.
struct Options {
  uint32_t flags = 0, top_k = 0, window = 0, best = 0;
  uint64_t top_p = 0, seed = 0, first_draw = 0;
  float scale = 0, min_p = 0, repeat_penalty = 1, frequency_penalty = 0, presence_penalty = 0, unused = 0;
};
static_assert(sizeof(Options) == 64);
enum Flags : uint32_t {
  kBias = 1,
  kPenalties = 2,
  kTopK = 4,
  kTopP = 8,
  kMinP = 16,
  kLogprobs = 32,
  kDraws = 64,
  kRanked = 128
};
constexpr int64_t kHistogramWords = 7 * 3 * 2048 + 2;
constexpr size_t kStateWords = 64;
constexpr size_t kHistorySizeWord = 1;

// Levels of selects, in the order of their dispatches; `flag`: without it in the options they are left out.
struct Stage {
  uint32_t which, level, flag;
};
constexpr Stage kStages[] = {{0, 0, kRanked}, {0, 1, kTopK},   {0, 2, kTopK},  {1, 1, kTopP},
                             {1, 2, kTopP},   {2, 1, kRanked}, {2, 2, kRanked}};
constexpr size_t kStageCount = std::size(kStages);

constexpr uint32_t kNoFiniteLogit = 0xFFFFFFFF, kAllForbidden = 0xFFFFFFFE;  // instead of an id

uint32_t record_words(uint32_t best) { return 2 + 2 * best; }

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

struct GpuSampler::Impl {
  Impl(Gpu& device, int64_t vocab_size, int64_t context, SamplerTarget to)
      : gpu(device), vocab(vocab_size), ring(context + 1), target(to) {
    slice = std::clamp<int64_t>(align_up((vocab + 127) / 128, 256), 256, 2048);
    slices = (vocab + slice - 1) / slice;
  }
  ~Impl() {
    for (Source& source : sources) source.drop(gpu);
    edited.drop(gpu);
    for (GpuRange& range : buffers) gpu.destroy(range.buffer);
  }

  // Bind groups of the stages that read the logits as they are after bias and penalties.
  struct Values {
    GpuBindGroup stages[kStageCount] = {}, slices = {}, pick[2] = {};
    void drop(Gpu& gpu) {
      for (GpuBindGroup group : stages) gpu.destroy(group);
      gpu.destroy(slices);
      for (GpuBindGroup group : pick) gpu.destroy(group);
    }
  };
  struct Source {
    GpuRange logits;
    GpuBindGroup max = {}, logprobs = {}, best = {};
    Values raw;
    void drop(Gpu& gpu) {
      for (GpuBindGroup group : {max, logprobs, best}) gpu.destroy(group);
      raw.drop(gpu);
    }
  };
  // A read-back of `count` records in one or, around the end of the ring, two pieces.
  struct Pending {
    uint32_t count = 0;
    GpuTicket tickets[2] = {};
    uint32_t bytes[2] = {};
  };

  Task<Status> make(GpuPipelines& pipelines);
  Task<Status> make_buffers();
  Task<Status> make_pipelines(GpuPipelines& pipelines);
  Status make_values(GpuRange values, Values& out);
  Result<const Source*> source_of(GpuRange logits);
  Status write_history(const LoopSampling& sampling);
  Status write_bias(const LoopSampling& sampling);
  Task<Status> end_stale();
  Status check(uint32_t id) const;

  Gpu& gpu;
  const int64_t vocab, ring;
  const SamplerTarget target;
  int64_t slice = 0, slices = 0;

  enum Buffer { options, state, scores, bias, history, maxima, bins, mass, records, best, stage_table, kBuffers };
  GpuRange buffers[kBuffers] = {};
  enum Pipe { max_pipe, bins_pipe, slices_pipe, pick_pipe, advance_pipe, logprobs_pipe, best_pipe, kPipes };
  GpuPipeline pipes[kPipes] = {};
  Values edited;  // of `scores`
  std::vector<Source> sources;

  Options run;
  uint64_t encoded = 0, begun = 0, taken = 0;  // tokens of this run
  std::array<Pending, TokenLoop::kMaxAhead> pending;
  size_t first_pending = 0, pending_count = 0;
  std::vector<Pending> stale;   // read-backs of runs before
  std::vector<uint32_t> words;  // records of the read-back last ended
  size_t word_at = 0, ready = 0;
  std::vector<uint32_t> host;  // contents of a buffer to be written
};

Task<Status> GpuSampler::Impl::make_buffers() {
  const struct {
    Buffer buffer;
    int64_t words;
    const char* label;
  } all[] = {{options, sizeof(Options) / 4, "sampling options"},
             {state, kStateWords, "sampling state"},
             {scores, vocab, "sampling scores"},
             {bias, vocab, "logit bias"},
             {history, vocab + ring, "token history"},
             {maxima, 4 * slices, "best logits of slices"},
             {bins, kHistogramWords, "histograms of logits"},
             {mass, 2 * slices, "sums of slices"},
             {records, TokenLoop::kMaxAhead * record_words(kMaxLoopLogprobs), "sampled tokens"},
             {best, 2 * slices * (1 + kMaxLoopLogprobs), "best logits"},
             {stage_table, 64 * static_cast<int64_t>(kStageCount), "sampling stages"}};
  for (const auto& [buffer, count, label] : all) {
    WEFT_CO_TRY(const GpuBuffer made, co_await gpu.create_buffer(4 * count, label));
    buffers[buffer] = {made, 0, 4 * count};
  }
  for (size_t i = 0; i < kStageCount; ++i) {
    const uint32_t row[] = {kStages[i].which, kStages[i].level};
    WEFT_CO_CHECK_OK(
        gpu.write(buffers[stage_table].buffer, static_cast<int64_t>(256 * i), std::as_bytes(std::span(row))));
  }
  co_return Status{};
}

Task<Status> GpuSampler::Impl::make_pipelines(GpuPipelines& pipelines) {
  Constants sizes;
  sizes.u32("kVocab", vocab).u32("kSlice", slice).u32("kSlices", slices);
  Constants logprobs = sizes;
  logprobs.u32("kMaxBest", kMaxLoopLogprobs);
  Constants list = logprobs;
  list.u32("kRecords", TokenLoop::kMaxAhead);
  Constants pick[2] = {sizes, sizes};
  for (int advance : {0, 1}) {
    pick[advance].u32("kRecords", TokenLoop::kMaxAhead).flag("kAdvance", advance).u32("kLengthWord", kLengthWord);
    pick[advance].i32("kIds", target.ids).i32("kPositions", target.positions).i32("kCells", target.cells);
    pick[advance].u32("kPositionAxes", target.position_axes);
  }
  const struct {
    Pipe pipe;
    const char* shader;
    const Constants& constants;
  } all[] = {{max_pipe, "sample_max", sizes},        {bins_pipe, "sample_bins", sizes},
             {slices_pipe, "sample_slices", sizes},  {pick_pipe, "sample_pick", pick[0]},
             {advance_pipe, "sample_pick", pick[1]}, {logprobs_pipe, "sample_logprobs", logprobs},
             {best_pipe, "sample_best", list}};
  static_assert(std::size(all) == kPipes);
  std::vector<GpuPipelines::Kernel> kernels;
  for (const auto& row : all) kernels.push_back({row.shader, row.constants.text()});
  WEFT_CO_TRY(const std::vector<GpuPipeline> made, co_await pipelines.get(std::move(kernels)));
  for (size_t i = 0; i < kPipes; ++i) pipes[all[i].pipe] = made[i];
  co_return Status{};
}

Status GpuSampler::Impl::make_values(GpuRange values, Values& out) {
  const auto make = [&](Pipe pipe, std::initializer_list<GpuRange> ranges, GpuBindGroup& group) -> Status {
    WEFT_TRY(group, gpu.create_bind_group(pipes[pipe], {ranges.begin(), ranges.size()}));
    return {};
  };
  const auto& b = buffers;
  for (size_t i = 0; i < kStageCount; ++i) {
    const GpuRange stage{b[stage_table].buffer, static_cast<int64_t>(256 * i), 8};
    WEFT_CHECK_OK(make(bins_pipe, {b[options], b[state], values, b[maxima], b[bins], stage}, out.stages[i]));
  }
  WEFT_CHECK_OK(make(slices_pipe, {b[options], b[state], values, b[maxima], b[bins], b[mass]}, out.slices));
  for (int advance : {0, 1}) {
    WEFT_CHECK_OK(make(advance ? advance_pipe : pick_pipe,
                       {b[options], b[state], values, b[maxima], b[mass], b[records], target.step, b[history]},
                       out.pick[advance]));
  }
  return {};
}

Task<Status> GpuSampler::Impl::make(GpuPipelines& pipelines) {
  WEFT_CO_CHECK_OK(co_await make_buffers());
  WEFT_CO_CHECK_OK(co_await make_pipelines(pipelines));
  WEFT_CO_CHECK_OK(make_values(buffers[scores], edited));
  words.resize(TokenLoop::kMaxAhead * record_words(kMaxLoopLogprobs));
  stale.reserve(TokenLoop::kMaxAhead);
  co_return Status{};
}

Result<const GpuSampler::Impl::Source*> GpuSampler::Impl::source_of(GpuRange logits) {
  for (const Source& source : sources)
    if (source.logits.buffer == logits.buffer && source.logits.offset == logits.offset) return &source;
  if (logits.bytes < 4 * vocab)
    return fail(Code::invalid_argument, "sampling", "logits", std::to_string(4 * vocab) + " bytes",
                std::to_string(logits.bytes));
  logits.bytes = 4 * vocab;
  const auto& b = buffers;
  Source made{.logits = logits};
  const auto fill = [&]() -> Status {
    const GpuRange max_ranges[] = {b[options], b[state], logits, b[scores], b[bias], b[history], b[maxima], b[bins]};
    WEFT_TRY(made.max, gpu.create_bind_group(pipes[max_pipe], max_ranges));
    const GpuRange logprob_ranges[] = {b[options], b[state], logits, b[maxima], b[best]};
    WEFT_TRY(made.logprobs, gpu.create_bind_group(pipes[logprobs_pipe], logprob_ranges));
    const GpuRange best_ranges[] = {b[options], b[state], logits, b[maxima], b[best], b[records]};
    WEFT_TRY(made.best, gpu.create_bind_group(pipes[best_pipe], best_ranges));
    return make_values(logits, made.raw);
  };
  if (Status filled = fill(); !filled) {
    made.drop(gpu);
    return std::unexpected(std::move(filled).error());
  }
  sources.push_back(made);
  return &sources.back();
}

// Counts of the tokens that penalties look back on, and the tokens themselves where old ones will leave.
Status GpuSampler::Impl::write_history(const LoopSampling& sampling) {
  const size_t size = sampling.history.size();
  const size_t kept = run.window == 0 ? size : std::min<size_t>(size, run.window);
  host.assign(static_cast<size_t>(vocab + ring), 0);
  uint32_t* counts = host.data();
  uint32_t* last = counts + vocab;
  for (int32_t id : sampling.history.subspan(size - kept)) {
    if (id < 0 || id >= vocab)
      return fail(Code::invalid_argument, "sampling", "token of the history", "below " + std::to_string(vocab),
                  std::to_string(id));
    ++counts[id];
    if (run.window) *last++ = static_cast<uint32_t>(id);
  }
  WEFT_CHECK_OK(gpu.write(buffers[history].buffer, 0, std::as_bytes(std::span(host))));
  const uint32_t word = run.window ? static_cast<uint32_t>(kept) : 0;
  return gpu.write(buffers[state].buffer, 4 * kHistorySizeWord, bytes_of(word));
}

Status GpuSampler::Impl::write_bias(const LoopSampling& sampling) {
  host.assign(static_cast<size_t>(vocab), 0);
  for (const auto& [id, amount] : sampling.logit_bias) {
    if (id < 0 || id >= vocab)
      return fail(Code::invalid_argument, "sampling", "logit_bias token", "below " + std::to_string(vocab),
                  std::to_string(id));
    host[id] = std::bit_cast<uint32_t>(std::bit_cast<float>(host[id]) + amount);
  }
  return gpu.write(buffers[bias].buffer, 0, std::as_bytes(std::span(host)));
}

Task<Status> GpuSampler::Impl::end_stale() {
  while (!stale.empty()) {
    const Pending read = stale.back();
    stale.pop_back();
    for (int i : {0, 1}) {
      if (read.bytes[i] == 0) continue;
      const auto out = std::as_writable_bytes(std::span(words)).first(read.bytes[i]);
      WEFT_CO_CHECK_OK(co_await gpu.end_read(read.tickets[i], out));
    }
  }
  co_return Status{};
}

Status GpuSampler::Impl::check(uint32_t id) const {
  if (id == kAllForbidden)
    return fail(Code::invalid_argument, "sampling", "tokens allowed by bias", "at least one", "none");
  if (id == kNoFiniteLogit)
    return fail(Code::internal, "sampling", "logits", "finite numbers", "none or an infinity",
                "the model's weights or a kernel produced NaN or infinities");
  return {};
}

GpuSampler::GpuSampler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GpuSampler::~GpuSampler() = default;

Task<Result<std::unique_ptr<GpuSampler>>> GpuSampler::create(Gpu& gpu, GpuPipelines& pipelines, int64_t vocab,
                                                             int64_t context, SamplerTarget target) {
  if (vocab < 1 || vocab > kMaxVocab)
    co_return fail(Code::unsupported, "sampling on the GPU", "vocabulary", "at most " + std::to_string(kMaxVocab),
                   std::to_string(vocab), "sample on the host");
  auto impl = std::make_unique<Impl>(gpu, vocab, context, target);
  WEFT_CO_CHECK_OK(co_await impl->make(pipelines));
  co_return std::unique_ptr<GpuSampler>(new GpuSampler(std::move(impl)));
}

Status GpuSampler::start(const LoopSampling& sampling) {
  Impl& s = *impl_;
  if (sampling.logprobs > kMaxLoopLogprobs)
    return fail(Code::unsupported, "sampling on the GPU", "logprobs", "at most " + std::to_string(kMaxLoopLogprobs),
                std::to_string(sampling.logprobs), "sample on the host");
  Options run;
  run.best = static_cast<uint32_t>(std::max(sampling.logprobs, 0));
  if (sampling.logprobs >= 0) run.flags |= kLogprobs;
  if (!sampling.logit_bias.empty()) run.flags |= kBias;
  const bool penalizes =
      sampling.repeat_penalty != 1 || sampling.frequency_penalty != 0 || sampling.presence_penalty != 0;
  if (penalizes && sampling.penalty_last_n != 0) {
    run.flags |= kPenalties;
    // More than the context can hold is all.
    if (sampling.penalty_last_n > 0 && sampling.penalty_last_n <= s.ring)
      run.window = static_cast<uint32_t>(sampling.penalty_last_n);
    run.repeat_penalty = sampling.repeat_penalty;
    run.frequency_penalty = sampling.frequency_penalty;
    run.presence_penalty = sampling.presence_penalty;
  }
  if (sampling.temperature > 0) {
    run.flags |= kDraws;
    run.scale = std::min(1 / sampling.temperature, std::numeric_limits<float>::max());
    run.top_k = static_cast<uint32_t>(sampling.top_k);
    if (sampling.top_k > 0 && sampling.top_k < s.vocab) run.flags |= kTopK | kRanked;
    run.min_p = sampling.min_p;
    if (sampling.min_p > 0) run.flags |= kMinP | kRanked;
    if (sampling.top_p < 1) {
      run.flags |= kTopP | kRanked;
      run.top_p = static_cast<uint64_t>(std::ldexp(static_cast<double>(sampling.top_p), 64));
    }
    run.seed = sampling.seed;
    run.first_draw = sampling.first_draw;
  }
  for (size_t i = 0; i < s.pending_count; ++i) s.stale.push_back(s.pending[(s.first_pending + i) % s.pending.size()]);
  s.first_pending = s.pending_count = 0;
  s.encoded = s.begun = s.taken = 0;
  s.ready = 0;
  s.run = run;

  const std::array<uint32_t, kStateWords> zeros{};
  WEFT_CHECK_OK(s.gpu.write(s.buffers[Impl::options].buffer, 0, bytes_of(run)));
  WEFT_CHECK_OK(s.gpu.write(s.buffers[Impl::state].buffer, 0, std::as_bytes(std::span(zeros))));
  if (run.flags & kPenalties) WEFT_CHECK_OK(s.write_history(sampling));
  if (run.flags & kBias) WEFT_CHECK_OK(s.write_bias(sampling));
  return {};
}

Status GpuSampler::encode(GpuCommands& commands, GpuRange logits, bool advance) {
  Impl& s = *impl_;
  if (s.encoded - s.taken >= TokenLoop::kMaxAhead)
    return fail(Code::invalid_argument, "sampling on the GPU", "tokens not read",
                "below " + std::to_string(TokenLoop::kMaxAhead), std::to_string(s.encoded - s.taken));
  WEFT_TRY(const Impl::Source* source, s.source_of(logits));
  const uint32_t slices = static_cast<uint32_t>(s.slices);
  const Impl::Values& values = s.run.flags & (kBias | kPenalties) ? s.edited : source->raw;
  commands.dispatch(s.pipes[Impl::max_pipe], source->max, slices, 1, 1);
  if (s.run.flags & kLogprobs) commands.dispatch(s.pipes[Impl::logprobs_pipe], source->logprobs, slices, 1, 1);
  for (size_t i = 0; i < kStageCount; ++i)
    if (s.run.flags & kStages[i].flag) commands.dispatch(s.pipes[Impl::bins_pipe], values.stages[i], slices, 1, 1);
  if (s.run.flags & kDraws) commands.dispatch(s.pipes[Impl::slices_pipe], values.slices, slices, 1, 1);
  commands.dispatch(s.pipes[advance ? Impl::advance_pipe : Impl::pick_pipe], values.pick[advance], 1, 1, 1);
  if (s.run.flags & kLogprobs) commands.dispatch(s.pipes[Impl::best_pipe], source->best, 1, 1, 1);
  ++s.encoded;
  return {};
}

int GpuSampler::encoded_dispatches() const {
  const uint32_t flags = impl_->run.flags;
  int count = 2 + (flags & kDraws ? 1 : 0) + (flags & kLogprobs ? 2 : 0);
  for (const Stage& stage : kStages) count += flags & stage.flag ? 1 : 0;
  return count;
}

Status GpuSampler::begin_read(int64_t count) {
  Impl& s = *impl_;
  const int64_t most = static_cast<int64_t>(s.encoded - s.begun);
  if (count < 1 || count > most)
    return fail(Code::invalid_argument, "sampling on the GPU", "tokens to read", "from 1 to " + std::to_string(most),
                std::to_string(count));
  constexpr uint64_t kRing = TokenLoop::kMaxAhead;
  const int64_t stride = 4 * record_words(s.run.best);
  const uint64_t begin = s.begun % kRing, first = std::min<uint64_t>(static_cast<uint64_t>(count), kRing - begin);
  const struct {
    uint64_t at, count;
  } parts[] = {{begin, first}, {0, static_cast<uint64_t>(count) - first}};
  Impl::Pending& read = s.pending[(s.first_pending + s.pending_count) % s.pending.size()];
  read = {.count = static_cast<uint32_t>(count)};
  for (int i : {0, 1}) {
    if (parts[i].count == 0) continue;
    const int64_t bytes = stride * static_cast<int64_t>(parts[i].count);
    auto ticket = s.gpu.begin_read(s.buffers[Impl::records].buffer, stride * static_cast<int64_t>(parts[i].at), bytes);
    if (!ticket) {
      if (i == 1) s.stale.push_back(read);
      return std::unexpected(std::move(ticket).error());
    }
    read.tickets[i] = *ticket;
    read.bytes[i] = static_cast<uint32_t>(bytes);
  }
  ++s.pending_count;
  s.begun += static_cast<uint64_t>(count);
  return {};
}

Task<Status> GpuSampler::read(std::span<LoopToken> tokens) {
  Impl& s = *impl_;
  WEFT_CO_CHECK_OK(co_await s.end_stale());
  const uint32_t best = s.run.best, stride = record_words(best);
  for (size_t filled = 0; filled < tokens.size();) {
    if (s.ready == 0) {
      if (s.pending_count == 0) WEFT_CO_CHECK_OK(begin_read(static_cast<int64_t>(tokens.size() - filled)));
      const Impl::Pending read = s.pending[s.first_pending];
      s.first_pending = (s.first_pending + 1) % s.pending.size();
      --s.pending_count;
      const auto out = std::as_writable_bytes(std::span(s.words));
      WEFT_CO_CHECK_OK(co_await s.gpu.end_read(read.tickets[0], out.first(read.bytes[0])));
      if (read.bytes[1] > 0)
        WEFT_CO_CHECK_OK(co_await s.gpu.end_read(read.tickets[1], out.subspan(read.bytes[0], read.bytes[1])));
      s.ready = read.count;
      s.word_at = 0;
    }
    const uint32_t* record = s.words.data() + s.word_at;
    s.word_at += stride;
    --s.ready;
    ++s.taken;
    WEFT_CO_CHECK_OK(s.check(record[0]));
    LoopToken& token = tokens[filled++];
    token = {.id = static_cast<int32_t>(record[0])};
    if (!(s.run.flags & kLogprobs)) continue;
    token.logprob = std::bit_cast<float>(record[1]);
    token.best_ids.fill(-1);
    for (uint32_t i = 0; i < best; ++i) {
      token.best_ids[i] = static_cast<int32_t>(record[2 + i]);
      token.best[i] = std::bit_cast<float>(record[2 + best + i]);
    }
  }
  co_return Status{};
}

}  // namespace weft
