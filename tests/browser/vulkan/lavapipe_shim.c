// Mesa's lavapipe for Chromium's WebGPU, under the name of SwiftShader. Chromium takes a CPU for WebGPU only if it is
// SwiftShader, which it loads from its own folder and knows by the numbers of vendor and device; lavapipe has what
// SwiftShader lacks: f16, and subgroups of 8. Everything but these two numbers is lavapipe's (WEFT_DRIVER: its file).
//
//   LD_PRELOAD=.deps/chromium_lavapipe.so chromium --use-webgpu-adapter=swiftshader --disable-gpu-sandbox …
//
// The declarations are those of the Vulkan specification, as far as they are used, so that no headers are needed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default")))

typedef void (*Function)(void);
typedef Function (*GetProc)(void* instance, const char* name);
typedef void* (*Open)(const char* file, int mode);

struct Properties {
  uint32_t api_version, driver_version, vendor, device;  // and more
};
struct Properties2 {
  uint32_t type;
  void* next;
  struct Properties properties;
};
typedef void (*GetProperties)(void* device, struct Properties* out);
typedef void (*GetProperties2)(void* device, struct Properties2* out);

static GetProperties get_properties;
static GetProperties2 get_properties2;

static void rename_device(struct Properties* properties) {
  properties->vendor = 0x1AE0;
  properties->device = 0xC0DE;
}
static void renamed_properties(void* device, struct Properties* out) {
  get_properties(device, out);
  rename_device(out);
}
static void renamed_properties2(void* device, struct Properties2* out) {
  get_properties2(device, out);
  rename_device(&out->properties);
}

static void* open_file(const char* file, int mode) {
  static Open next;
  if (!next) next = (Open)dlsym(RTLD_NEXT, "dlopen");
  return next(file, mode);
}

// WebGPU loads SwiftShader as chromium/libvk_swiftshader.so and gets this library. OpenGL loads it through the Vulkan
// loader, as chromium/././libvk_swiftshader.so, and gets SwiftShader: lavapipe lacks what it asks for.
PUBLIC void* dlopen(const char* file, int mode) {
  static const char kName[] = "/libvk_swiftshader.so";
  const size_t length = file ? strlen(file) : 0, end = sizeof kName - 1;
  Dl_info self;
  if (length > end && strcmp(file + length - end, kName) == 0 && !strstr(file, "/./") &&
      dladdr((const void*)(uintptr_t)&rename_device, &self))
    file = self.dli_fname;
  return open_file(file, mode);
}

// What a Vulkan driver is asked for everything else by.
PUBLIC Function vkGetInstanceProcAddr(void* instance, const char* name) {
  static GetProc get;
  if (!get) {
    void* driver = open_file(WEFT_DRIVER, RTLD_NOW | RTLD_LOCAL);
    if (!driver) return NULL;
    get = (GetProc)dlsym(driver, "vk_icdGetInstanceProcAddr");
  }
  const Function found = get(instance, name);
  if (!found) return NULL;
  if (strcmp(name, "vkGetPhysicalDeviceProperties") == 0) {
    get_properties = (GetProperties)found;
    return (Function)renamed_properties;
  }
  if (strcmp(name, "vkGetPhysicalDeviceProperties2") == 0 || strcmp(name, "vkGetPhysicalDeviceProperties2KHR") == 0) {
    get_properties2 = (GetProperties2)found;
    return (Function)renamed_properties2;
  }
  return found;
}
