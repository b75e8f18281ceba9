// weft synth: a GGUF file of a known shape with random weights, to measure speed without downloads.
#include <algorithm>

#include "command.h"
#include "disk.h"
#include "file/gguf_writer.h"
#include "native_host.h"
#include "parallel.h"
#include "synth_shapes.h"

namespace weft::cli {
namespace {

struct Options {
  std::string shape, out, type = "q8_0";
  int64_t seed = 1, threads = 0;
};

constexpr DType kTypes[] = {DType::f32,  DType::f16,  DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0,
                            DType::q5_1, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};

// Filled by all threads, then written: large enough that threads are worth it, small beside any model.
constexpr int64_t kChunkBytes = int64_t{16} << 20, kPieceBytes = int64_t{256} << 10;

std::vector<float> vector_values(const SynthShape& shape, const SynthTensor& tensor) {
  if (tensor.fill == SynthTensor::Fill::rope_factors) {
    return llama3_rope_factors({.base = shape.rope_base, .factor = shape.rope_factor}, shape.head_dim);
  }
  std::vector<float> values(static_cast<size_t>(tensor.shape[0]), tensor.fill == SynthTensor::Fill::ones ? 1.0f : 0.0f);
  if (tensor.fill == SynthTensor::Fill::small) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = 0.01f * static_cast<float>(i % 7) - 0.03f;
  }
  return values;
}

Outcome synth(Context& context, const Options& o) {
  const auto shapes = synth_shapes();
  const auto shape = std::find_if(shapes.begin(), shapes.end(), [&](const SynthShape& s) { return s.name == o.shape; });
  const DType type = *dtype_from_name(o.type);
  catch_interrupt();
  const double started = seconds_now();
  const std::vector<SynthTensor> tensors = synth_tensors(*shape, type);
  WEFT_TRY(const std::unique_ptr<ByteSink> sink, create_file(o.out));
  GgufWriter writer(*sink);
  WEFT_CHECK_OK(writer.set_all(synth_metadata(*shape, type)));
  int64_t parameters = 0;
  for (const SynthTensor& tensor : tensors) {
    WEFT_CHECK_OK(writer.add_tensor(tensor.name, tensor.dtype, tensor.shape));
    parameters += tensor.shape[0] * (tensor.shape.size() > 1 ? tensor.shape[1] : 1);
  }
  const auto total = static_cast<int64_t>(writer.file_bytes());
  WEFT_CHECK_OK(check_space(o.out, total));
  WEFT_CHECK_OK(writer.begin());
  Progress bar("writing " + o.out);
  std::vector<std::byte> chunk(kChunkBytes);
  int64_t done = 0;
  for (size_t t = 0; t < tensors.size(); ++t) {
    const SynthTensor& tensor = tensors[t];
    if (tensor.fill != SynthTensor::Fill::random) {
      const std::vector<float> values = vector_values(*shape, tensor);
      WEFT_CHECK_OK(writer.write(std::as_bytes(std::span(values))));
      continue;
    }
    const DTypeInfo& format_info = info(tensor.dtype);
    const int64_t blocks = tensor.shape[0] * (tensor.shape[1] / format_info.block);
    const int64_t per_piece = kPieceBytes / format_info.bytes, pieces_per_chunk = kChunkBytes / kPieceBytes;
    for (int64_t first = 0; first < blocks; first += per_piece * pieces_per_chunk) {
      if (interrupt_flag().cancelled()) return fail(Code::cancelled, o.out, "stopped by Ctrl-C");
      const int64_t count = std::min(blocks - first, per_piece * pieces_per_chunk);
      parallel_for(context.host, o.threads, (count + per_piece - 1) / per_piece, [&](int64_t piece) {
        const int64_t begin = piece * per_piece, size = std::min(per_piece, count - begin);
        // A piece depends on its place alone, so that the file is the same for any number of threads.
        const uint64_t seed = static_cast<uint64_t>(o.seed) << 40 ^ static_cast<uint64_t>(t) << 24 ^
                              static_cast<uint64_t>((first + begin) / per_piece);
        random_blocks(tensor.dtype, tensor.sigma, seed, chunk.data() + begin * format_info.bytes, size);
      });
      WEFT_CHECK_OK(writer.write(std::span(chunk).first(static_cast<size_t>(count * format_info.bytes))));
      bar.update(done += count * format_info.bytes, total);
    }
  }
  WEFT_CHECK_OK(writer.end());
  bar.clear();
  const double seconds = seconds_now() - started;
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"path", o.out},
                                      {"shape", o.shape},
                                      {"type", o.type},
                                      {"parameters", parameters},
                                      {"bytes", total},
                                      {"seconds", seconds}}));
    return kOk;
  }
  WEFT_CHECK_OK(context.print(format("%s: %s parameters, %s, %s (random weights: for measuring only)\n", o.out.c_str(),
                                     human_count(static_cast<double>(parameters)).c_str(),
                                     human_bytes(static_cast<double>(total)).c_str(), human_seconds(seconds).c_str())));
  return kOk;
}

}  // namespace

Command synth_command() {
  auto o = std::make_shared<Options>();
  return {"synth",
          "Write a model of a known shape with random weights",
          "  weft synth smollm2-135m /tmp/smol.gguf\n"
          "  weft synth llama-3.2-1b /tmp/1b.gguf --type q4_0 && weft bench -m /tmp/1b.gguf\n",
          kJson,
          [o](Args& args) {
            std::vector<std::string> shapes, types;
            for (const SynthShape& shape : synth_shapes()) shapes.emplace_back(shape.name);
            for (const DType type : kTypes) types.emplace_back(name(type));
            std::string listed;
            for (const std::string& shape : shapes) listed += (listed.empty() ? "" : ", ") + shape;
            args.positional("shape", o->shape, "one of " + listed).required().one_of(shapes);
            args.positional("output", o->out, "the GGUF file to write").required().file();
            args.option("--type", o->type, "number format of the matrices (q8_0)").one_of(types);
            args.option("--seed", o->seed, "of the random numbers (1)").at_least(0);
            args.option("-t,--threads", o->threads, "threads; 0: all (0)").between(0, 256);
          },
          [o](Context& context) { return synth(context, *o); }};
}

}  // namespace weft::cli
