// What JavaScript does for the Gpu of a browser: packages/weft/src/core/gpu.ts, which this mirrors. Included by
// web_*.cc only. `gpu` and all handles are chosen here; a handle's low 20 bits are its place in JavaScript's arrays
// (slots.h). Texts are UTF-8 as address and length, offsets and sizes of the GPU's memory are doubles. An `operation`
// is the number of a Pending, ended by weft_settle; when the device is lost all of them are, with device_lost. Errors
// that come later arrive by the export weft_gpu_trouble(gpu, code, text*, length), its text allocated with weft_alloc.
#pragma once

#include <cstddef>
#include <cstdint>

#define WEFT_GPU_IMPORT(name) __attribute__((import_module("weft"), import_name(#name)))

extern "C" {
// The answer is JSON: an array of what web_open.cc reads. no_device without WebGPU.
WEFT_GPU_IMPORT(gpu_adapters) void weft_gpu_adapters(uint32_t operation);
// Number `adapter` of that answer, with {"features": […], "limits": {…}} as WebGPU names them.
WEFT_GPU_IMPORT(gpu_open)
void weft_gpu_open(uint32_t operation, uint32_t gpu, uint32_t adapter, const char* wishes, size_t length);
WEFT_GPU_IMPORT(gpu_close) void weft_gpu_close(uint32_t gpu);
WEFT_GPU_IMPORT(gpu_lose) void weft_gpu_lose(uint32_t gpu);

WEFT_GPU_IMPORT(gpu_create_buffer)
void weft_gpu_create_buffer(uint32_t gpu, uint32_t operation, uint32_t buffer, double bytes, const char* label,
                            size_t length);
WEFT_GPU_IMPORT(gpu_destroy_buffer) void weft_gpu_destroy_buffer(uint32_t gpu, uint32_t buffer);
// Two words a binding: its number and a WgslBinding::Kind. bad_shader: "line 3, column 7\nmessage", or a message alone.
WEFT_GPU_IMPORT(gpu_create_pipeline)
void weft_gpu_create_pipeline(uint32_t gpu, uint32_t operation, uint32_t pipeline, const char* label,
                              size_t label_length, const char* wgsl, size_t wgsl_length, const uint32_t* bindings,
                              size_t count);
WEFT_GPU_IMPORT(gpu_destroy_pipeline) void weft_gpu_destroy_pipeline(uint32_t gpu, uint32_t pipeline);
// Six words a binding: its number, the buffer, offset and bytes, each low half first.
WEFT_GPU_IMPORT(gpu_create_group)
void weft_gpu_create_group(uint32_t gpu, uint32_t group, uint32_t pipeline, const uint32_t* entries, size_t count);
WEFT_GPU_IMPORT(gpu_destroy_group) void weft_gpu_destroy_group(uint32_t gpu, uint32_t group);

WEFT_GPU_IMPORT(gpu_write)
void weft_gpu_write(uint32_t gpu, uint32_t buffer, double offset, const void* bytes, size_t count);
WEFT_GPU_IMPORT(gpu_submit) void weft_gpu_submit(uint32_t gpu, const uint32_t* words, size_t count);  // of GpuCommands
WEFT_GPU_IMPORT(gpu_finish) void weft_gpu_finish(uint32_t gpu, uint32_t operation);

// A read-back: begun once, awaited at most once, taken once. Bytes are copied here only while it is taken, so that one
// that nobody awaits any more writes nowhere.
WEFT_GPU_IMPORT(gpu_begin_read)
void weft_gpu_begin_read(uint32_t gpu, uint32_t ticket, uint32_t buffer, double offset, double bytes);
WEFT_GPU_IMPORT(gpu_begin_timestamps) void weft_gpu_begin_timestamps(uint32_t gpu, uint32_t ticket, uint32_t passes);
// 1: the bytes are there already, and the operation is over.
WEFT_GPU_IMPORT(gpu_await_read) uint32_t weft_gpu_await_read(uint32_t gpu, uint32_t operation, uint32_t ticket);
WEFT_GPU_IMPORT(gpu_take_read) void weft_gpu_take_read(uint32_t gpu, uint32_t ticket, void* out, size_t bytes);
WEFT_GPU_IMPORT(gpu_staging) double weft_gpu_staging(uint32_t gpu);  // bytes of buffers for read-backs
}
