#include "text/unicode_data.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/compact_sort.h"
#include "text/unicode_tables.h"

namespace weft {
namespace {

namespace table = unicode_tables;

// Reads a packed table: while (in.next()) … one entry.
class Packed {
 public:
  explicit Packed(const uint8_t* table) : at_(table), left_(number()) {}
  bool next() { return left_-- != 0; }
  uint8_t byte() { return *at_++; }
  uint32_t number() {
    uint32_t value = 0;
    for (int shift = 0;; shift += 7) {
      const uint8_t bits = byte();
      value |= static_cast<uint32_t>(bits & 127) << shift;
      if (bits < 128) return value;
    }
  }
  int32_t signed_number() {
    const uint32_t value = number();
    return static_cast<int32_t>(value >> 1) ^ -static_cast<int32_t>(value & 1);
  }

 private:
  const uint8_t* at_;
  uint32_t left_;
};

std::vector<uint8_t> unpack_categories() {
  constexpr char32_t kTags = UnicodeData::kTagsEnd - UnicodeData::kTagsBegin;
  std::vector<uint8_t> out(UnicodeData::kPlainEnd + kTags);
  const auto fill = [&](char32_t begin, char32_t end, char32_t place, uint8_t value) {
    if (begin < end) std::fill_n(out.begin() + place, end - begin, value);
  };
  char32_t begin = 0;
  for (Packed in(table::kCategories); in.next();) {
    const uint8_t entry = in.byte(), category = entry & 31;
    const char32_t end = begin + (entry >> 5 ? entry >> 5 : in.number());
    fill(begin, std::min(end, UnicodeData::kPlainEnd), begin, category);
    const char32_t tags = std::max(begin, UnicodeData::kTagsBegin);
    fill(tags, std::min(end, UnicodeData::kTagsEnd), tags - UnicodeData::kTagsBegin + UnicodeData::kPlainEnd, category);
    begin = end;
  }
  return out;
}

std::vector<UnicodeRun> unpack_runs(const uint8_t* table) {
  std::vector<UnicodeRun> runs;
  char32_t before = 0;
  for (Packed in(table); in.next();) {
    const char32_t first = before + in.number();
    const uint32_t shape = in.number();
    const char32_t step = 1 + (shape & 1);
    before = first + shape / 2 * step;
    runs.push_back({first, before, step, in.signed_number()});
  }
  return runs;
}

}  // namespace

UnicodeData::UnicodeData()
    : properties(unpack_categories()),
      combining(unpack_runs(table::kCombining)),
      lower(unpack_runs(table::kLower)),
      upper(unpack_runs(table::kUpper)),
      title(unpack_runs(table::kTitle)),
      digits(unpack_runs(table::kDigits)),
      numerics(unpack_runs(table::kNumerics)),
      other_upper(unpack_runs(table::kOtherUpper)),
      other_lower(unpack_runs(table::kOtherLower)) {
  for (const UnicodeRun& run : combining) {
    for (char32_t c = run.first; c <= run.last; c += run.step) properties[c] |= kCombines;
  }
  const auto begin_mapping = [&](char32_t code, uint8_t header, int kind_bits) {
    return Mapping{code, static_cast<uint16_t>(pool.size()), static_cast<uint8_t>(header >> 2),
                   static_cast<uint8_t>(header & kind_bits)};
  };
  char32_t code = 0;
  for (Packed in(table::kSpecialCases); in.next();) {
    code += in.number();
    special_cases.push_back(begin_mapping(code, in.byte(), 3));
    for (int i = 0; i < special_cases.back().size; ++i) pool.push_back(code + in.signed_number());
  }
  code = 0;
  std::array<char32_t, 32> near{};
  for (Packed in(table::kDecompositions); in.next();) {
    code += in.number();
    const uint8_t header = in.byte();
    decompositions.push_back(begin_mapping(code, header, 1));
    properties[code] |= kDecomposes;
    for (int i = 0; i < header >> 2; ++i) pool.push_back(near[i] += in.signed_number());
    if (header & 2) compositions.push_back({near[0], near[1], code});
  }
  compact_sort(compositions, [](const Composition& a, const Composition& b) {
    return std::tie(a.first, a.second) < std::tie(b.first, b.second);
  });
}

const UnicodeRun* find_run(std::span<const UnicodeRun> runs, char32_t code) {
  auto at = std::upper_bound(runs.begin(), runs.end(), code,
                             [](char32_t wanted, const UnicodeRun& run) { return wanted < run.first; });
  if (at == runs.begin()) return nullptr;
  --at;
  return code <= at->last && (code - at->first) % at->step == 0 ? &*at : nullptr;
}

}  // namespace weft
