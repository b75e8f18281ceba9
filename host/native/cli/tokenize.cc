// weft tokenize and weft detokenize: text to ids and back.
#include "base/utf8.h"
#include "command.h"
#include "text/tokenizer.h"

namespace weft::cli {
namespace {

struct Options {
  std::optional<std::string> prompt, file, ids;
  bool no_bos = false, no_special = false;
};

Outcome tokenize(Context& context, const Options& o) {
  if (!o.prompt && !o.file) return usage_error("tokenize", "give a text with -p or -f");
  WEFT_TRY(const auto tokenizer, context.open_tokenizer());
  std::string text = o.prompt.value_or("");
  if (o.file) {
    WEFT_TRY(text, read_file(*o.file));
  }
  WEFT_TRY(const std::vector<int32_t> ids,
           tokenizer->encode(text, {.add_bos = !o.no_bos, .parse_special = !o.no_special}));
  if (context.common.json) {
    OrderedJson pieces = OrderedJson::array();
    for (const int32_t id : ids) {
      const std::string_view bytes = tokenizer->piece_bytes(id);
      pieces.push_back({{"text", replace_invalid_utf8(bytes)}, {"hex", hex(bytes)}});
    }
    WEFT_CHECK_OK(context.print_json({{"ids", ids}, {"pieces", std::move(pieces)}}));
    return kOk;
  }
  std::string lines;
  for (const int32_t id : ids) {
    const std::string_view bytes = tokenizer->piece_bytes(id);
    const std::string shown = "'" + escape_for_message(bytes) + "'";
    lines +=
        format("%7d  %s\n", id, styled(stdout, tokenizer->is_control(id) ? Style::cyan : Style::plain, shown).c_str());
  }
  WEFT_CHECK_OK(context.print(lines));
  if (is_terminal(stdout)) note(styled(stderr, Style::dim, format("%zu tokens, %zu bytes", ids.size(), text.size())));
  return kOk;
}

Outcome detokenize(Context& context, const Options& o) {
  if (!o.ids && !o.file) return usage_error("detokenize", "give ids with --ids or -f");
  std::string listed = o.ids.value_or("");
  if (o.file) {
    WEFT_TRY(listed, read_file(*o.file));
  }
  WEFT_TRY(const std::vector<int32_t> ids, parse_ids(listed));
  WEFT_TRY(const auto tokenizer, context.open_tokenizer());
  for (const int32_t id : ids) {
    if (id >= tokenizer->vocab_size()) {
      return fail(Code::invalid_argument, "--ids", "token id", "below " + std::to_string(tokenizer->vocab_size()),
                  std::to_string(id));
    }
  }
  const std::string text = tokenizer->decode(ids, o.no_special);
  if (context.common.json) {
    WEFT_CHECK_OK(context.print_json({{"text", replace_invalid_utf8(text)}, {"hex", hex(text)}}));
    return kOk;
  }
  WEFT_CHECK_OK(context.print(is_terminal(stdout) ? text + "\n" : text));
  return kOk;
}

}  // namespace

Command tokenize_command() {
  auto o = std::make_shared<Options>();
  return {"tokenize",
          "Turn text into token ids",
          "  weft tokenize -p \"Hello world\"\n"
          "  weft tokenize -m model.gguf -f book.txt --json\n"
          "  weft tokenize -m tokenizer.json -p Hello --no-bos\n",
          kModel | kJson,
          [o](Args& args) {
            args.option("-p,--prompt", o->prompt, "the text");
            args.option("-f,--file", o->file, "read the text from a file; - is standard input")
                .file()
                .conflicts("--prompt");
            args.flag("--no-bos", o->no_bos, "leave out the tokens that the model puts around a text");
            args.flag("--no-special", o->no_special, "names of special tokens in the text are plain text");
          },
          [o](Context& context) { return tokenize(context, *o); }};
}

Command detokenize_command() {
  auto o = std::make_shared<Options>();
  return {
      "detokenize",
      "Turn token ids into text, exactly",
      "  weft detokenize --ids 1,403,407\n"
      "  weft tokenize -p Hello --json | jq .ids[] | weft detokenize -f -\n",
      kModel | kJson,
      [o](Args& args) {
        args.option("--ids", o->ids, "token ids").value("1,2,3");
        args.option("-f,--file", o->file, "read the ids from a file; - is standard input").file().conflicts("--ids");
        args.flag("--skip-special", o->no_special, "leave out special tokens");
      },
      [o](Context& context) { return detokenize(context, *o); }};
}

}  // namespace weft::cli
