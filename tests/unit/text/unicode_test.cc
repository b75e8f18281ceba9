#include "text/unicode.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "base/utf8.h"
#include "support/support.h"
#include "text/charsmap.h"

namespace weft::test {
namespace {

std::optional<std::string> output_of(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return std::nullopt;
  std::string out;
  char block[65536];
  for (size_t n; (n = fread(block, 1, sizeof block, pipe)) > 0;) out.append(block, n);
  return pclose(pipe) == 0 ? std::optional(out) : std::nullopt;
}

std::string from_hex_codes(const std::string& list) {
  std::istringstream in(list);
  std::string out;
  for (uint32_t code; in >> std::hex >> code;) append_utf8(out, code);
  return out;
}

TEST(Unicode, TablesAreWhatTheGeneratorWrites) {
  if (access("/usr/share/unicode/UnicodeData.txt", R_OK) != 0) GTEST_SKIP() << "skipped: no unicode-data";
  auto made = output_of("python3 " + source_dir() + "/tools/gen_unicode.py");
  ASSERT_TRUE(made);
  EXPECT_TRUE(*made == read_text(source_dir() + "/src/text/unicode_tables.cc")) << "run tools/gen_unicode.py";
}

// Unicode's own conformance test: columns source; NFC; NFD; NFKC; NFKD.
TEST(Unicode, NormalizationConformance) {
  auto text = output_of("bzcat /usr/share/unicode/NormalizationTest.txt.bz2 2>/dev/null");
  if (!text || text->empty()) GTEST_SKIP() << "skipped: no unicode-data";
  std::istringstream in(*text);
  int rows = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#' || line[0] == '@') continue;
    std::vector<std::string> columns;
    std::istringstream fields(line);
    for (std::string field; columns.size() < 5 && std::getline(fields, field, ';');)
      columns.push_back(from_hex_codes(field));
    ASSERT_EQ(columns.size(), 5u);
    for (int c = 0; c < 5; ++c) {
      ASSERT_EQ(normalize_utf8(columns[c], NormalForm::nfc), columns[c < 3 ? 1 : 3]) << line;
      ASSERT_EQ(normalize_utf8(columns[c], NormalForm::nfd), columns[c < 3 ? 2 : 4]) << line;
      ASSERT_EQ(normalize_utf8(columns[c], NormalForm::nfkc), columns[3]) << line;
      ASSERT_EQ(normalize_utf8(columns[c], NormalForm::nfkd), columns[4]) << line;
    }
    ++rows;
  }
  EXPECT_GT(rows, 18000);
}

TEST(Unicode, PropertiesOfKnownCharacters) {
  EXPECT_EQ(category(U'a'), Category::ll);
  EXPECT_EQ(category(U'Å'), Category::lu);
  EXPECT_EQ(category(U'中'), Category::lo);
  EXPECT_EQ(category(U'½'), Category::no);
  EXPECT_EQ(category(U'\u0301'), Category::mn);
  EXPECT_EQ(category(0x1F999), Category::so);
  EXPECT_EQ(category(0xE0001), Category::cf);
  EXPECT_EQ(category(0x10FFFD), Category::co);
  EXPECT_EQ(category(0x10FFFF), Category::cn);
  EXPECT_EQ(category(0x32400), Category::cn);
  EXPECT_EQ(category(0xD800), Category::cs);
  EXPECT_TRUE(is_space(0x3000));
  EXPECT_FALSE(is_space(0x200B));
  EXPECT_EQ(to_lower(U'Ж'), U'ж');
  EXPECT_EQ(to_upper(U'ÿ'), U'Ÿ');
  EXPECT_EQ(to_lower(U'Ā'), U'ā');
  EXPECT_EQ(to_lower(U'ā'), U'ā');
  EXPECT_EQ(normalize_utf8("a\xFF\xC3\x84", NormalForm::nfd),
            "a\xFF"
            "A\xCC\x88");
}

TEST(Unicode, Base64AndBrokenCharsMaps) {
  ASSERT_OK_AND(auto bytes, decode_base64("aGVsbG8=", "t"));
  EXPECT_EQ(bytes, "hello");
  EXPECT_ERROR(Code::bad_file, decode_base64("a*b", "t"));
  EXPECT_ERROR(Code::bad_file, CharsMap::from_bytes("abc", "t"));
  EXPECT_ERROR(Code::bad_file, CharsMap::from_bytes(std::string("\xFF\xFF\xFF\x7F", 4) + "abcd", "t"));
  // Any table at all must be safe to use.
  uint32_t seed = 1;
  for (int round = 0; round < 2000; ++round) {
    std::string table("\x40\0\0\0", 4);
    for (int i = 0; i < 80; ++i) table += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    ASSERT_OK_AND(auto map, CharsMap::from_bytes(table, "t"));
    (void)map.apply("hello \xC3\xA4 \xFF world");
  }
}

}  // namespace
}  // namespace weft::test
