#pragma once

#include <napi.h>
#include <node_api.h>

// How native threads wake a JavaScript thread. Part of binding.cc.

namespace {

using namespace millrace;

// A thread-safe function that carries nothing: a queue of one, never blocking, so any number of
// rings before the thread comes to it are one call.
napi_threadsafe_function make_bell(napi_env env, const char* name, void* context,
                                   napi_threadsafe_function_call_js call) {
  napi_value resource = nullptr;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource);
  napi_threadsafe_function bell = nullptr;
  napi_create_threadsafe_function(env, nullptr, nullptr, resource, 1, 1, nullptr, nullptr, context,
                                  call, &bell);
  return bell;
}

// No bell could be made in a thread that was being terminated: nobody hears it.
void ring_bell(void* bell) {
  if (bell == nullptr) return;
  napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(bell), nullptr,
                                napi_tsfn_nonblocking);
}

}  // namespace
