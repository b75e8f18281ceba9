#include "gpu/dawn_procs.h"

#include <dlfcn.h>

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

}  // namespace

Result<const DawnProcs*> dawn_procs() {
  static const Result<DawnProcs> procs = load();
  if (!procs) return fail(procs.error());
  return &*procs;
}

}  // namespace weft
