// What JavaScript does for the core: packages/weft/src/core/module.ts, which this mirrors. Texts are UTF-8 as address
// and length. An `operation` is the number of a Pending: JavaScript ends it with weft_settle. The GPU's imports are in
// src/gpu/web_imports.h.
#pragma once

#include <cstddef>
#include <cstdint>

#define WEFT_IMPORT(name) __attribute__((import_module("weft"), import_name(#name)))

extern "C" {
// kind 0: an event of a call; 1: its result; 2: its error. JSON.
WEFT_IMPORT(reply) void weft_reply(uint32_t call, uint32_t kind, const char* text, size_t length);
// A question about a call, answered by ending the operation: an error ends the call.
WEFT_IMPORT(ask) void weft_ask(uint32_t operation, uint32_t call, const char* text, size_t length);
WEFT_IMPORT(log) void weft_log(uint32_t level, const char* text, size_t length);
WEFT_IMPORT(now) double weft_now();                      // seconds
WEFT_IMPORT(yield) void weft_yield(uint32_t operation);  // ends it from the event loop
// Sources were opened by JavaScript before: 0 if there is none of this name.
WEFT_IMPORT(source_open) uint32_t weft_source_open(const char* name, size_t length);
WEFT_IMPORT(source_size) double weft_source_size(uint32_t source);
// 1: the bytes are there already, and the operation is over.
WEFT_IMPORT(source_read)
uint32_t weft_source_read(uint32_t operation, uint32_t source, double offset, void* out, size_t bytes);
WEFT_IMPORT(source_close) void weft_source_close(uint32_t source);
// Threads that wait for work already: weft_thread(argument, 1 … count) is called on them. 0: there are not so many.
WEFT_IMPORT(threads) uint32_t weft_threads();
WEFT_IMPORT(threads_start) uint32_t weft_threads_start(uint32_t count, void* argument);
}
