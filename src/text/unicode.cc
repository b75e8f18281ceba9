#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace weft {
namespace {

namespace table = unicode_tables;

constexpr char32_t kPlainLimit = 0x32400;

// Hangul syllables are composed by arithmetic (Unicode 3.12).
constexpr char32_t kHangulS = 0xAC00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11A7;
constexpr uint32_t kCountL = 19, kCountV = 21, kCountT = 28, kCountS = kCountL * kCountV * kCountT;

// The row of `width` numbers whose first is the largest not above `code`; nullptr if there is none.
template <class T>
const T* find_row(const T* rows, int size, int width, char32_t code) {
  int low = 0, high = size / width;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (static_cast<char32_t>(rows[middle * width]) <= code)
      low = middle + 1;
    else
      high = middle;
  }
  return low == 0 ? nullptr : rows + (low - 1) * width;
}

char32_t map_case(const int32_t* rows, int size, char32_t code) {
  const int32_t* row = find_row(rows, size, 4, code);
  if (!row) return code;
  const auto [first, last, step, delta] = std::array{row[0], row[1], row[2], row[3]};
  const int32_t c = static_cast<int32_t>(code);
  return c <= last && (c - first) % step == 0 ? static_cast<char32_t>(c + delta) : code;
}

bool append_from(const uint32_t* keys, int count, const uint16_t* ends, const uint32_t* pool, char32_t code,
                 std::vector<char32_t>& out) {
  const uint32_t* key = std::lower_bound(keys, keys + count, code);
  if (key == keys + count || *key != code) return false;
  const auto i = key - keys;
  out.insert(out.end(), pool + (i ? ends[i - 1] : 0), pool + ends[i]);
  return true;
}

void decompose(char32_t code, bool compat, std::vector<char32_t>& out) {
  if (code < 0xA0) {
    out.push_back(code);
  } else if (code - kHangulS < kCountS) {
    const uint32_t s = code - kHangulS;
    out.push_back(kHangulL + s / (kCountV * kCountT));
    out.push_back(kHangulV + s / kCountT % kCountV);
    if (s % kCountT) out.push_back(kHangulT + s % kCountT);
  } else if (!(compat && append_from(table::kCompatKeys, table::kCompatKeysSize, table::kCompatEnds, table::kCompatPool,
                                     code, out)) &&
             !append_from(table::kCanonicalKeys, table::kCanonicalKeysSize, table::kCanonicalEnds,
                          table::kCanonicalPool, code, out)) {
    out.push_back(code);
  }
}

char32_t compose_pair(char32_t a, char32_t b) {
  if (a - kHangulL < kCountL && b - kHangulV < kCountV)
    return kHangulS + ((a - kHangulL) * kCountV + (b - kHangulV)) * kCountT;
  if (a - kHangulS < kCountS && (a - kHangulS) % kCountT == 0 && b - kHangulT - 1 < kCountT - 1)
    return a + (b - kHangulT);
  int low = 0, high = table::kComposeSize / 3;
  while (low < high) {
    const int middle = (low + high) / 2;
    const uint32_t* row = table::kCompose + middle * 3;
    if (row[0] < a || (row[0] == a && row[1] < b))
      low = middle + 1;
    else
      high = middle;
  }
  const uint32_t* row = table::kCompose + low * 3;
  return low < table::kComposeSize / 3 && row[0] == a && row[1] == b ? row[2] : 0;
}

void compose(std::vector<char32_t>& text) {
  size_t out = 0;
  size_t starter = 0;
  bool have_starter = false;
  int last_class = -1;  // class of the last character kept since the starter, -1 right after it
  for (char32_t code : text) {
    const int klass = combining_class(code);
    if (have_starter && (last_class < klass)) {
      if (char32_t both = compose_pair(text[starter], code)) {
        text[starter] = both;
        continue;
      }
    }
    if (klass == 0) {
      starter = out;
      have_starter = true;
      last_class = -1;
    } else {
      last_class = klass;
    }
    text[out++] = code;
  }
  text.resize(out);
}

// Normalises text[begin, end), which is valid UTF-8.
void normalize_valid(std::string_view text, NormalForm form, std::string& out) {
  const bool compat = form == NormalForm::nfkc || form == NormalForm::nfkd;
  std::vector<char32_t> codes;
  codes.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    decompose(c.code, compat, codes);
    i += c.size;
  }
  for (size_t i = 0; i < codes.size();) {  // canonical order: stable sort of each run of marks
    size_t end = i;
    while (end < codes.size() && combining_class(codes[end]) != 0) ++end;
    if (end - i > 1)
      std::stable_sort(codes.begin() + i, codes.begin() + end,
                       [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end + 1;
  }
  if (form == NormalForm::nfc || form == NormalForm::nfkc) compose(codes);
  for (char32_t code : codes) append_utf8(out, code);
}

}  // namespace

Category category(char32_t code) {
  size_t index = code >> 8;
  if (code >= kPlainLimit) {
    if (code >= 0xF0000 && code <= 0x10FFFD && (code & 0xFFFE) != 0xFFFE) return Category::co;
    if (code < 0xE0000 || code >= 0xE0200) return Category::cn;
    index = table::kBlockIndexSize - (code < 0xE0100 ? 2 : 1);
  }
  return static_cast<Category>(table::kBlocks[table::kBlockIndex[index]][code & 255] - 'A');
}

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= 9 && code <= 13);
  return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool is_cjk_ideograph(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2CEAF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

bool is_han(char32_t code) {
  static constexpr char32_t kRanges[][2] = {
      {0x2E80, 0x2E99},   {0x2E9B, 0x2EF3},   {0x2F00, 0x2FD5},   {0x3005, 0x3005},   {0x3007, 0x3007},
      {0x3021, 0x3029},   {0x3038, 0x303B},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFA6D},
      {0xFA70, 0xFAD9},   {0x16FE2, 0x16FE3}, {0x16FF0, 0x16FF1}, {0x20000, 0x2A6DF}, {0x2A700, 0x2B739},
      {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x2F800, 0x2FA1D}, {0x30000, 0x3134A},
      {0x31350, 0x323AF}};
  for (auto [first, last] : kRanges)
    if (code <= last) return code >= first;
  return false;
}

char32_t to_lower(char32_t code) {
  if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  return map_case(table::kLower, table::kLowerSize, code);
}

char32_t to_upper(char32_t code) {
  if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 32 : code;
  return map_case(table::kUpper, table::kUpperSize, code);
}

int combining_class(char32_t code) {
  if (code < 0x300) return 0;
  const uint32_t* row = find_row(table::kCombining, table::kCombiningSize, 3, code);
  return row && code <= row[1] ? static_cast<int>(row[2]) : 0;
}

std::string normalize_utf8(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  size_t begin = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (!c.valid) {
      normalize_valid(text.substr(begin, i - begin), form, out);
      out += text[i];
      begin = i + 1;
    }
    i += c.size;
  }
  normalize_valid(text.substr(begin), form, out);
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

}  // namespace weft
