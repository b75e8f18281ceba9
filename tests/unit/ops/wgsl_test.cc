#include "ops/wgsl.h"

#include <set>

#include "support/support.h"

namespace weft {
namespace {

TEST(Wgsl, EveryKernelIsFoundByItsName) {
  std::set<std::string_view> names;
  for (const WgslKernel& kernel : wgsl_kernels()) {
    EXPECT_TRUE(names.insert(kernel.name).second) << kernel.name;
    EXPECT_EQ(wgsl_source(kernel.name), kernel.text());
    EXPECT_NE(kernel.text().find("@compute"), std::string_view::npos) << kernel.name;
  }
}

TEST(Wgsl, UnknownNamesAreEmpty) {
  EXPECT_EQ(wgsl_source(""), "");
  EXPECT_EQ(wgsl_source("no_such_kernel"), "");
}

}  // namespace
}  // namespace weft
