// weft logits: what the model thinks of every next token, as a NumPy array.
#include "command.h"
#include "native_host.h"
#include "session/session.h"

namespace weft::cli {
namespace {

struct Options {
  std::optional<std::string> ids, prompt;
  std::string out;
};

// Format version 1.0 (NumPy enhancement proposal 1): magic, u16 length of the header, a Python dict padded so that the
// data begins at a multiple of 64.
std::string npy_header(int64_t rows, int64_t columns) {
  std::string dict = format("{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                            static_cast<long long>(rows), static_cast<long long>(columns));
  while ((10 + dict.size() + 1) % 64) dict += ' ';
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 255);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

Outcome logits(Context& context, const Options& o) {
  if (!o.ids && !o.prompt) return usage_error("logits", "give token ids with --ids or a text with -p");
  std::vector<int32_t> ids;
  if (o.ids) {
    WEFT_TRY(ids, parse_ids(*o.ids));
  }
  catch_interrupt();
  WEFT_TRY(const auto model, context.load_model(context.load_options()));
  if (o.prompt) {
    WEFT_TRY(const Tokenizer* tokenizer, model->require_tokenizer());
    WEFT_TRY(ids, tokenizer->encode(*o.prompt));
  }
  if (ids.empty()) return usage_error("logits", "there are no token ids");
  const auto rows = static_cast<int64_t>(ids.size()), columns = model->model().vocab_size;
  WEFT_TRY(const auto sink, create_file(o.out));
  const std::string header = npy_header(rows, columns);
  WEFT_CHECK_OK(sink->write(std::as_bytes(std::span(header))));
  WEFT_TRY(const auto session, context.wait(model->new_session()));
  Progress bar("computing", Progress::Unit::items);
  WEFT_CHECK_OK(context.wait(session->logits(
      ids,
      [&](int64_t first, std::span<const float> values) -> Status {
        WEFT_CHECK_OK(sink->write(std::as_bytes(values)));
        bar.update(first + static_cast<int64_t>(values.size()) / columns, rows);
        return {};
      },
      &interrupt_flag())));
  WEFT_CHECK_OK(sink->commit());
  bar.clear();
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"path", o.out}, {"shape", {rows, columns}}}));
  } else {
    note(format("%s: float32 [%lld, %lld]", o.out.c_str(), static_cast<long long>(rows),
                static_cast<long long>(columns)));
  }
  return kOk;
}

}  // namespace

Command logits_command() {
  auto o = std::make_shared<Options>();
  return {"logits",
          "Write the logits of every position as a NumPy array",
          "  weft logits -m model.gguf --ids 1,403,407 -o logits.npy\n"
          "  python3 -c \"import numpy; print(numpy.load('logits.npy').argmax(1))\"\n",
          kModel | kRun | kThreads | kJson,
          [o](Args& args) {
            args.option("--ids", o->ids, "token ids").value("1,2,3");
            args.option("-p,--prompt", o->prompt, "a text instead of ids").conflicts("--ids");
            args.option("-o,--output", o->out, "the file to write: float32 [tokens, vocabulary]").required().file();
          },
          [o](Context& context) { return logits(context, *o); }};
}

}  // namespace weft::cli
