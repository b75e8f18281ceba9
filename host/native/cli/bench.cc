// weft bench: tokens a second for reading a prompt (pp) and for generating (tg), as llama-bench measures them, and how
// much of the machine's memory bandwidth generation uses.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "bandwidth.h"
#include "bench_gpu.h"
#include "command.h"
#include "native_host.h"
#include "parallel.h"
#include "profile.h"
#include "session/session.h"

namespace weft::cli {
namespace {

struct Options {
  int64_t prompt = 512, generate = 128, repeats = 5, depth = 0;
  std::string threads = "0";
  std::optional<std::string> profile;
  bool stages = false;
};

struct Measured {
  std::string test;
  int64_t prompt = 0, generated = 0;
  int threads = 0;
  std::vector<double> samples;  // tokens a second
  double mean = 0, deviation = 0;
  double step_bytes = 0;  // of one decode step
  double bandwidth = 0;   // of this machine with as many threads, bytes a second
};

// Ids that no text would have, the same every time; below 1000 so that every vocabulary has them (modulo its size).
std::vector<int32_t> some_ids(int64_t count, int64_t vocab) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<int32_t>((i * 7919 + 13) % std::min<int64_t>(vocab, 1000)));
  return ids;
}

// What a step reads: every weight but the rows of the embedding that are not asked for, and the cache so far.
double bytes_of_step(const Model& model, double cells) {
  double bytes = 0;
  bool head = false;
  for (const WeightDecl& weight : model.weights) head |= weight.name == "lm_head.weight";
  for (const WeightDecl& weight : model.weights) {
    if (head && weight.name == "model.embed_tokens.weight") continue;
    const int64_t row = weight.shape.empty() ? 1 : weight.shape.back();
    int64_t rows = 1;
    for (size_t i = 0; i + 1 < weight.shape.size(); ++i) rows *= weight.shape[i];
    bytes += static_cast<double>(rows * row_bytes(weight.dtype, row));
  }
  return bytes + static_cast<double>(model.state_bytes(1, 1)) * cells;
}

void summarise(Measured& m) {
  const double n = static_cast<double>(m.samples.size());
  m.mean = std::accumulate(m.samples.begin(), m.samples.end(), 0.0) / n;
  double squares = 0;
  for (const double sample : m.samples) squares += (sample - m.mean) * (sample - m.mean);
  m.deviation = n > 1 ? std::sqrt(squares / (n - 1)) : 0;
}

// One run: `prompt` new tokens after `depth` kept ones, then `generate` more.
Result<double> run_once(Context& context, Session& session, const Model& model, int64_t prompt, int64_t generate,
                        int64_t depth) {
  WEFT_CHECK_OK(context.wait(session.reset()));
  GenerateRequest request{
      .prompt = some_ids(depth, model.vocab_size), .max_tokens = 0, .ignore_end = true, .cancel = &interrupt_flag()};
  request.sampling.temperature = 0;
  const auto nothing = [](const TokenEvent&) {};
  if (depth > 0) {
    auto kept = context.wait(session.generate(request, nothing));
    if (!kept) return fail(kept.error());
  }
  request.prompt = some_ids(depth + std::max<int64_t>(prompt, 1), model.vocab_size);
  // The prompt of a generation is one token, whose step makes the first of the new tokens.
  request.max_tokens = generate;
  const double started = seconds_now();
  auto done = context.wait(session.generate(request, nothing));
  const double seconds = seconds_now() - started;
  if (!done) return fail(done.error());
  if (done->stop == StopReason::cancelled) return fail(Code::cancelled, "bench", "stopped by Ctrl-C");
  return static_cast<double>(prompt > 0 ? prompt : generate) / seconds;
}

Result<std::vector<int64_t>> parse_threads(const std::string& text) {
  WEFT_TRY(const std::vector<int32_t> numbers, parse_ids(text));
  std::vector<int64_t> threads;
  for (const int32_t n : numbers) threads.push_back(n > 0 ? n : hardware_threads());
  if (threads.empty() || *std::max_element(threads.begin(), threads.end()) > 256) {
    return fail(Code::invalid_argument, "--threads", "thread counts", "1 to 256 each", text);
  }
  return threads;
}

std::string table(const std::vector<Measured>& all, const std::string& title) {
  std::string text = styled(stdout, Style::bold, title) + "\n";
  text += format("%-14s %7s  %18s  %10s  %s\n", "test", "threads", "tokens/s", "read", "of the device's bandwidth");
  for (const Measured& m : all) {
    const std::string threads = m.threads > 0 ? std::to_string(m.threads) : "-";
    text += format("%-14s %7s  %9.2f ± %6.2f", m.test.c_str(), threads.c_str(), m.mean, m.deviation);
    if (m.generated > 0) {
      const double rate = m.step_bytes * m.mean;
      text += format("  %5.1f GB/s  %.0f %% of %.1f GB/s", rate / 1e9, 100 * rate / m.bandwidth, m.bandwidth / 1e9);
    }
    text += "\n";
  }
  return text;
}

Outcome bench(Context& context, const Options& o) {
  auto threads = parse_threads(o.threads);
  if (!threads) return usage_error("bench", threads.error().message());
  if (o.prompt + o.generate == 0) return usage_error("bench", "-p and -n are both 0");
  catch_interrupt();
  std::vector<Measured> all;
  std::string device, title, more;
  OrderedJson gpu_json;
  for (const int64_t count : *threads) {
    LoadOptions options = context.load_options();
    options.threads = static_cast<int>(count);
    if (options.context == 0) options.context = o.depth + std::max(o.prompt, o.generate + 1);
    WEFT_TRY(const auto model, context.load_model(options));
    WEFT_TRY(const auto session, context.wait(model->new_session()));
    device = model->caps().name;
    const bool on_gpu = model->caps().kind == Caps::Kind::webgpu;
    title = context.common.model + " on " + (on_gpu ? device : device.substr(0, device.find(',')));
    if (o.profile) WEFT_CHECK_OK(can_profile(*model));
    if (o.stages && (!on_gpu || o.generate == 0)) return usage_error("bench", "--stages needs a GPU and -n above 0");
    const std::string at = o.depth > 0 ? format(" @ d%lld", static_cast<long long>(o.depth)) : "";
    for (const bool generation : {false, true}) {
      Measured m{.test = (generation ? "tg" : "pp") + std::to_string(generation ? o.generate : o.prompt) + at,
                 .prompt = generation ? 0 : o.prompt,
                 .generated = generation ? o.generate : 0,
                 .threads = on_gpu ? 0 : static_cast<int>(count)};
      if (m.prompt + m.generated == 0) continue;
      Progress bar(m.test, Progress::Unit::items);
      // The first run touches the memory and is not counted; generating a few tokens is enough for that.
      WEFT_TRY(const double warm,
               run_once(context, *session, model->model(), m.prompt, std::min<int64_t>(m.generated, 4), o.depth));
      (void)warm;
      for (int64_t i = 0; i < o.repeats; ++i) {
        bar.update(i, o.repeats);
        WEFT_TRY(const double speed, run_once(context, *session, model->model(), m.prompt, m.generated, o.depth));
        m.samples.push_back(speed);
      }
      summarise(m);
      const int64_t half_way = o.depth + std::max<int64_t>(m.generated / 2, 1);
      m.step_bytes = on_gpu ? plan_traffic(model->decode_plan(), {.length = half_way}).total()
                            : bytes_of_step(model->model(), static_cast<double>(half_way));
      if (on_gpu && generation) {
        WEFT_TRY(const GpuFigures figures, gpu_figures(context, *model, *session, 1 / m.mean, half_way));
        m.bandwidth = figures.limits.read_bandwidth;
        more += to_text(figures);
        gpu_json = to_json(figures);
        if (o.stages) {
          WEFT_TRY(const Stages s, measure_stages(context, *model, m.mean, o.generate, o.depth));
          more += format(
              "stages: %.1f tokens/s with all made anew and read back each step, %.1f reusing it, %.1f ahead in "
              "bursts (%.2fx, %.2fx)\n",
              s.remade, s.reused, s.pipelined, s.pipelined / s.remade, s.pipelined / s.reused);
          gpu_json["stages"] = {{"remade_tps", s.remade}, {"reused_tps", s.reused}, {"pipelined_tps", s.pipelined}};
        }
      }
      all.push_back(std::move(m));
    }
    if (o.profile) {
      WEFT_TRY(const std::string profiled, profile(context, *model, *o.profile, o.depth));
      more += "\n" + profiled;
    }
    if (on_gpu) break;  // threads make no difference
  }
  const int64_t peak_bytes = peak_memory_bytes();  // of the models: the buffer below is not theirs
  for (Measured& m : all) {
    if (m.generated > 0 && m.threads > 0)
      m.bandwidth = measure_read_bandwidth(context.host, m.threads, static_cast<int64_t>(m.step_bytes));
  }
  if (!context.common.json) {
    WEFT_CHECK_OK(context.print(table(all, title) + more));
    return kOk;
  }
  OrderedJson tests = OrderedJson::array();
  for (const Measured& m : all) {
    OrderedJson row = {{"test", m.test},       {"n_prompt", m.prompt}, {"n_gen", m.generated}, {"depth", o.depth},
                       {"threads", m.threads}, {"tps", m.mean},        {"sd", m.deviation},    {"samples", m.samples}};
    if (m.generated > 0) {
      row["bytes_per_step"] = m.step_bytes;
      row["gb_per_s"] = m.step_bytes * m.mean / 1e9;
      row["machine_gb_per_s"] = m.bandwidth / 1e9;
      row["bandwidth_share"] = m.step_bytes * m.mean / m.bandwidth;
    }
    tests.push_back(std::move(row));
  }
  OrderedJson document = {
      {"model", context.common.model}, {"device", device}, {"peak_bytes", peak_bytes}, {"tests", tests}};
  if (!gpu_json.is_null()) document["gpu"] = std::move(gpu_json);
  WEFT_CHECK_OK(context.print_json(document));
  return kOk;
}

}  // namespace

Command bench_command() {
  auto o = std::make_shared<Options>();
  return {
      "bench",
      "Measure the speed of reading prompts and of generating",
      "  weft bench\n"
      "  weft bench -m model.gguf -p 128 -n 64 -r 3 -t 1,2 --json\n"
      "  weft bench --device webgpu --depth 4096 --stages --profile trace.json\n"
      "pp: tokens of a prompt a second; tg: generated tokens a second, with the bytes that they read from memory.\n",
      kModel | kRun | kJson,
      [o](Args& args) {
        args.option("-p,--prompt", o->prompt, "tokens of the prompt; 0: do not measure (512)").between(0, 1e6);
        args.option("-n,--generate", o->generate, "tokens to generate; 0: do not measure (128)").between(0, 1e6);
        args.option("-r,--repeats", o->repeats, "runs of each, after one that does not count (5)").between(1, 1000);
        args.option("-d,--depth", o->depth, "tokens that are in the context before (0)").between(0, 1e6);
        args.flag("--stages", o->stages, "GPU: what reusing buffers and working ahead gain, one after the other");
        declare_profile(args, o->profile);
        args.option("-t,--threads", o->threads, "threads, several counts with commas; 0: all (0)").value("N,N");
      },
      [o](Context& context) { return bench(context, *o); }};
}

}  // namespace weft::cli
