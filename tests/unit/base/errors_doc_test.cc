// docs/errors.md is the table of src/base/errors.def as a page; WEFT_UPDATE_DOCS=1 writes it anew.
#include <cstdlib>

#include "support/support.h"

namespace weft {
namespace {

std::string page() {
  std::string text =
      "# Error codes\n\n"
      "Every error of Weft has one of these codes. The number is what the functions of `weft.h` return, the name is "
      "what\n"
      "messages and `--json` output carry; both stay the same from version to version. A message is one line: *where: "
      "what:\n"
      "expected …, found … (hint) [name]*.\n\n"
      "This page is generated from `src/base/errors.def`; a test compares the two.\n\n"
      "| number | name | meaning | usual way out |\n|---:|---|---|---|\n";
  for (int i = 0; i < code_count(); ++i) {
    const Code code = static_cast<Code>(i);
    text += "| " + std::to_string(i) + " | `" + std::string(code_name(code)) + "` | " +
            std::string(code_meaning(code)) + " | " + std::string(code_hint(code)) + " |\n";
  }
  return text;
}

TEST(ErrorsPage, MatchesTheTable) {
  const std::string path = test::source_dir() + "/docs/errors.md";
  if (std::getenv("WEFT_UPDATE_DOCS")) test::write_text(path, page());
  EXPECT_EQ(test::read_text(path), page()) << "run this test with WEFT_UPDATE_DOCS=1";
}

}  // namespace
}  // namespace weft
