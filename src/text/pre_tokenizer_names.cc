// The pre-tokenizers that tokenizer.ggml.pre names. The patterns are those that the models' own tokenizer.json files
// publish; which name stands for which pattern is llama.cpp's convention (its convert script chooses the name).
#include <span>

#include "text/pre_tokenizer.h"

// clang-format off
#define WEFT_CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define WEFT_TAIL R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define WEFT_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define WEFT_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define WEFT_LEAD R"([^\r\n\p{L}\p{N}]?)"
#define WEFT_GPT2 R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"

namespace weft {

const std::string_view kGpt2Pattern = WEFT_GPT2;

namespace {

using Patterns = std::span<const std::string_view>;

constexpr std::string_view kGpt2[] = {WEFT_GPT2};
constexpr std::string_view kDigitsGpt2[] = {R"(\p{N})", WEFT_GPT2};
constexpr std::string_view kLlama3[] = {WEFT_CONTRACTIONS "|" WEFT_LEAD R"(\p{L}+|\p{N}{1,3})" WEFT_TAIL};
constexpr std::string_view kQwen2[] = {WEFT_CONTRACTIONS "|" WEFT_LEAD R"(\p{L}+|\p{N})" WEFT_TAIL};
constexpr std::string_view kQwen35[] = {
    WEFT_CONTRACTIONS "|" WEFT_LEAD R"([\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::string_view kFalcon[] = {R"([\p{P}\$\+<=>\^~\|`]+)", WEFT_GPT2, R"([0-9][0-9][0-9])"};
constexpr std::string_view kDefault[] = {R"([\p{P}\$\+<=>\^~\|]+)", WEFT_GPT2, R"(\p{N}+)", R"([0-9][0-9][0-9])"};
constexpr std::string_view kWords[] = {R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{0964}\x{06D4}\x{060C})]+)"};
constexpr std::string_view kWordsDigits[] = {kWords[0], R"(\p{N})"};
constexpr std::string_view kDeepseekCoder[] = {
    R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)", R"(\p{N})"};
constexpr std::string_view kDeepseekLlm[] = {
    R"([\r\n])",
    R"(\s?[A-Za-z)"
    R"(\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293}\x{295}-\x{2AF})"
    R"(\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C}\x{38E}-\x{3A1})"
    R"(\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5})"
    R"(\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77})"
    R"(\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D})"
    R"(\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE})"
    R"(\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4})"
    R"(\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128})"
    R"(\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184})"
    R"(\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D})"
    R"(\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF})"
    R"(\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F})"
    R"(\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"
    R"(\x{1E900}-\x{1E943})"
    R"(]+)",
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)", R"(\s+$)",
    R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)", R"(\p{N}+)"};
constexpr std::string_view kDeepseek3[] = {
    R"(\p{N}{1,3})", R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)",
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::string_view kTekken[] = {
    WEFT_LEAD WEFT_UPPER "*" WEFT_LOWER "+|" WEFT_LEAD WEFT_UPPER "+" WEFT_LOWER "*"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::string_view kGpt4o[] = {
    WEFT_LEAD WEFT_UPPER "*" WEFT_LOWER "+" WEFT_CONTRACTIONS "?|" WEFT_LEAD WEFT_UPPER "+" WEFT_LOWER "*"
    WEFT_CONTRACTIONS R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"};
constexpr std::string_view kBailing[] = {
    R"('(?i:[sdmt]|ll|ve|re)|)" WEFT_LEAD R"(\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"};

struct Named {
  std::string_view name;
  Patterns patterns;
  bool ignore_merges = false;
  bool add_bos = false;  // where the file does not say
};

constexpr Named kNamed[] = {
    {"gpt-2", kGpt2}, {"phi-2", kGpt2}, {"mpt", kGpt2}, {"olmo", kGpt2}, {"jais", kGpt2}, {"trillion", kGpt2},
    {"jina-es", kGpt2}, {"jina-de", kGpt2}, {"jina-v1-en", kGpt2}, {"jina-v2-es", kGpt2}, {"jina-v2-de", kGpt2},
    {"jina-v2-code", kGpt2}, {"roberta-bpe", kGpt2}, {"gigachat", kGpt2}, {"granite-docling", kGpt2},
    {"exaone4", kGpt2}, {"modern-bert", kGpt2}, {"a.x-4.0", kGpt2}, {"mellum", kGpt2},
    {"smollm", kDigitsGpt2}, {"starcoder", kDigitsGpt2}, {"refact", kDigitsGpt2}, {"command-r", kDigitsGpt2},
    {"codeshell", kDigitsGpt2}, {"exaone", kDigitsGpt2}, {"minerva-7b", kDigitsGpt2},
    {"llama3", kLlama3, true, true}, {"llama-v3", kLlama3, true, true}, {"llama-bpe", kLlama3, true, true},
    {"falcon3", kLlama3, true, true}, {"falcon-h1", kLlama3, true, true}, {"pixtral", kLlama3, true, true},
    {"midm-2.0", kLlama3, true, true}, {"lfm2", kLlama3, true, true},
    {"dbrx", kLlama3}, {"smaug-bpe", kLlama3}, {"chatglm-bpe", kLlama3}, {"glm4", kLlama3},
    {"qwen2", kQwen2}, {"deepseek-r1-qwen", kQwen2}, {"kormo", kQwen2}, {"stablelm2", kQwen2}, {"hunyuan", kQwen2},
    {"megrez", kQwen2}, {"solar-open", kQwen2}, {"qwen35", kQwen35},
    {"falcon", kFalcon}, {"default", kDefault}, {"bloom", kWords}, {"gpt3-finnish", kWords},
    {"poro-chat", kWords}, {"viking", kWordsDigits},
    {"deepseek-llm", kDeepseekLlm}, {"deepseek-coder", kDeepseekCoder}, {"deepseek-v3", kDeepseek3},
    {"hunyuan-dense", kDeepseek3},
    {"tekken", kTekken, true, true}, {"gpt-4o", kGpt4o}, {"llama4", kGpt4o}, {"kanana2", kGpt4o},
    {"bailingmoe", kBailing}, {"bailingmoe2", kBailing}, {"llada-moe", kBailing},
};

}  // namespace
// clang-format on

Result<PreTokenizer::NamedTraits> PreTokenizer::add_named(std::string_view name, const std::string& where) {
  for (const Named& row : kNamed) {
    if (row.name != name) continue;
    for (std::string_view pattern : row.patterns)
      WEFT_CHECK_OK(add_split(pattern, SplitBehavior::isolated, false, where));
    return NamedTraits{row.ignore_merges, row.add_bos};
  }
  return fail(Code::unsupported, where, "tokenizer.ggml.pre", "the name of a known pre-tokenizer",
              "'" + std::string(name) + "'");
}

}  // namespace weft
