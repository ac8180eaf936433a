#pragma once

#include <node_api.h>

#include <cstddef>

#include "keeper.h"

// Values of JavaScript's that calls answer. Part of binding.cc.

namespace {

napi_value number_of(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

void set_number(napi_env env, napi_value object, const char* name, double number) {
  napi_set_named_property(env, object, name, number_of(env, number));
}

// An ArrayBuffer over memory that `kept` keeps until it is collected. Null in a thread that is
// being terminated: the ArrayBuffer may exist all the same, so the finalizer or the keeper ends
// `kept`.
napi_value array_buffer(napi_env env, void* data, std::size_t bytes, Keeper::Kept* kept) {
  napi_value buffer = nullptr;
  const auto finalize = [](napi_env, void*, void* hint) {
    delete static_cast<Keeper::Kept*>(hint);
  };
  const napi_status status =
      napi_create_external_arraybuffer(env, data, bytes, finalize, kept, &buffer);
  return status == napi_ok ? buffer : nullptr;
}

}  // namespace
