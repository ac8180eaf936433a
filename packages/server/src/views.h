#pragma once

#include <napi.h>
#include <node_api.h>

#include <memory>

#include "environment.h"

// Memory of a server as ArrayBuffers. Part of binding.cc.

namespace {

using namespace millrace;

// A view of memory that `server` keeps, alive as long as the view is.
Napi::Value view(Napi::Env env, const std::shared_ptr<SharedServer>& server, void* data,
                 std::size_t bytes) {
  auto* hold = new std::shared_ptr<SharedServer>(server);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, data, bytes,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<SharedServer>*>(hint); },
      hold, &buffer);
  // In a thread that is being terminated the buffer may exist all the same, and its finalizer run:
  // the hold is its.
  if (status != napi_ok) return env.Undefined();
  return Napi::Value(env, buffer);
}

Napi::Object views(Napi::Env env, const Attachment& a, std::uint32_t id, std::uint32_t* bridge,
                   std::size_t bridge_bytes) {
  PipelineCore& core = a.server->pipeline.core;
  Napi::Object out = Napi::Object::New(env);
  out.Set("id", Napi::Number::New(env, id));
  out.Set("bridge", view(env, a.server, bridge, bridge_bytes));
  out.Set("arena", view(env, a.server, core.store.data(), core.store.max_bytes()));
  out.Set("sent", view(env, a.server, core.sent.get(), core.options.descriptors * 4));
  return out;
}

}  // namespace
