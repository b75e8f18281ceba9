// The Unicode tables as unicode.cc searches them: unpacked from unicode_tables.h at the first use, in a millisecond.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace weft {

// Each step-th character from first to last has the value.
struct UnicodeRun {
  char32_t first, last, step;
  int32_t value;
};

struct UnicodeData {
  // Categories are stored for the characters below kPlainEnd and for 512 from kTagsBegin; between and behind them there
  // is only private use (Co) and nothing (Cn).
  static constexpr char32_t kPlainEnd = 0x32400, kTagsBegin = 0xE0000, kTagsEnd = 0xE0200;
  static constexpr uint8_t kCategory = 31, kDecomposes = 32, kCombines = 64;

  struct Mapping {
    char32_t code;
    uint16_t begin;
    uint8_t size, kind;  // of special cases: 0 lower, 1 title, 2 upper; of decompositions: 1 for compatibility
  };
  struct Composition {
    char32_t first, second, composite;
  };

  std::vector<uint8_t> properties;  // by code: category and flags; the tags behind the plain characters
  std::vector<UnicodeRun> combining, lower, upper, title, digits, numerics, other_upper, other_lower;
  std::vector<Mapping> special_cases, decompositions;  // sorted by code
  std::vector<char32_t> pool;                          // the text of mappings
  std::vector<Composition> compositions;               // sorted by (first, second)

  UnicodeData();

  std::span<const char32_t> text_of(const Mapping& mapping) const {
    return std::span(pool).subspan(mapping.begin, mapping.size);
  }
};

inline const UnicodeData& unicode_data() {
  static const UnicodeData data;
  return data;
}

// The run that has the character; nullptr if none has.
const UnicodeRun* find_run(std::span<const UnicodeRun> runs, char32_t code);

}  // namespace weft
