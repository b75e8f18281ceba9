#include "gpu/dawn_procs.h"

#include <dlfcn.h>

#include <vector>

namespace weft {
namespace {

constexpr const char* kLibrary = "libwebgpu_dawn.so.0";

Result<DawnProcs> load() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    return fail(Code::no_device, kLibrary, "loading Dawn, the WebGPU library", "a library of this system",
                why ? why : "nothing");
  }
  DawnProcs procs;
#define WEFT_DAWN_LOAD(name)                                                                                  \
  procs.name = reinterpret_cast<WGPUProc##name>(dlsym(library, "wgpu" #name));                                \
  if (!procs.name)                                                                                            \
    return fail(Code::no_device, kLibrary, "loading Dawn, the WebGPU library", "function wgpu" #name, "none", \
                "install the version of Dawn that this build names, or run with --device cpu");
  WEFT_DAWN_PROCS(WEFT_DAWN_LOAD)
#undef WEFT_DAWN_LOAD
  return procs;
}

// What vulkan.h calls VkExtensionProperties.
struct VulkanExtension {
  char name[256];
  uint32_t version;
};

}  // namespace

Status vulkan_driver() {
  constexpr const char* kVulkan = "libvulkan.so.1";
  void* loader = dlopen(kVulkan, RTLD_NOW | RTLD_LOCAL);
  auto list = loader ? reinterpret_cast<int (*)(const char*, uint32_t*, VulkanExtension*)>(
                           dlsym(loader, "vkEnumerateInstanceExtensionProperties"))
                     : nullptr;
  if (!list) {
    const char* why = dlerror();
    return fail(Code::no_device, kVulkan, "loading the Vulkan loader", "a library of this system",
                why ? why : "nothing", "install libvulkan1, or run with --device cpu");
  }
  uint32_t count = 0;
  if (list(nullptr, &count, nullptr) < 0) count = 0;
  std::vector<VulkanExtension> found(count);
  if (count && list(nullptr, &count, found.data()) < 0) count = 0;
  for (uint32_t i = 0; i < count; ++i)
    if (std::string_view(found[i].name) == "VK_KHR_get_physical_device_properties2") return {};
  return fail(Code::no_device, "GPU", "looking for a Vulkan driver", "the driver of a GPU", "none",
              "install the GPU's Vulkan driver, or run with --device cpu");
}

Result<const DawnProcs*> dawn_procs() {
  static const Result<DawnProcs> procs = load();
  if (!procs) return fail(procs.error());
  return &*procs;
}

}  // namespace weft
