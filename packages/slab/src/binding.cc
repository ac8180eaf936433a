// The addon of @millrace/slab: converts between JavaScript and millrace/memory. How numbers pass
// stands in registers.h. Nothing throws here: TypeScript reads the status.

#include <node_api.h>

#include <cstddef>
#include <utility>

#include "environment.h"
#include "growables.h"
#include "registers.h"
#include "slabs.h"

namespace {

// (registers: Uint8Array): what this thread shares with the addon from now on.
napi_value use(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  Environment& at = call.at();
  if (at.registers_ref != nullptr) napi_delete_reference(env, at.registers_ref);
  at.registers = reinterpret_cast<Registers*>(call.elements<std::byte>(0).data());
  napi_create_reference(env, call.argument(0), 1, &at.registers_ref);
  return nullptr;
}

// By name: where each register is, in bytes.
napi_value register_offsets(napi_env env) {
  napi_value offsets;
  napi_create_object(env, &offsets);
  set_number(env, offsets, "handle", offsetof(Registers, handle));
  set_number(env, offsets, "status", offsetof(Registers, status));
  set_number(env, offsets, "bytes", offsetof(Registers, bytes));
  set_number(env, offsets, "offset", offsetof(Registers, offset));
  set_number(env, offsets, "length", offsetof(Registers, length));
  set_number(env, offsets, "capacity", offsetof(Registers, capacity));
  set_number(env, offsets, "mapped", offsetof(Registers, mapped));
  set_number(env, offsets, "error", offsetof(Registers, error));
  set_number(env, offsets, "end", sizeof(Registers));
  return offsets;
}

napi_value init(napi_env env, napi_value exports) {
  auto* const at = new Environment;
  napi_set_instance_data(
      env, at, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const std::pair<const char*, napi_callback> functions[] = {
      {"allocate", allocate},
      {"free", free_block},
      {"allocateMany", allocate_many},
      {"freeMany", free_many},
      {"setOwner", set_owner},
      {"blockBytes", block_bytes},
      {"trim", trim},
      {"decay", decay},
      {"memory", memory},
      {"inside", inside},
      {"allocateBuffer", allocate_buffer},
      {"freeBuffer", free_buffer},
      {"stats", stats},
      {"open", open},
      {"attach", attach},
      {"share", share},
      {"close", close},
      {"detachView", detach_view},
      {"openGrowable", open_growable},
      {"append", append},
      {"consume", consume},
      {"bytes", bytes},
      {"closeGrowable", close_growable},
      {"use", use},
  };
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, at, &value);
    napi_set_named_property(env, exports, name, value);
  }
  napi_set_named_property(env, exports, "registers", register_offsets(env));
  set_number(env, exports, "copy", static_cast<double>(SharedSlab::copy_nonce()));
  set_number(env, exports, "maxBytes", static_cast<double>(Arena::kMaxBytes));
  set_number(env, exports, "pageBytes", SlabPage::kBytes);
  set_number(env, exports, "cacheBlocks", ScriptCache::kBlocks);
  set_number(env, exports, "cacheClasses", SizeClasses::kMaxClasses);
  set_number(env, exports, "unitBytes", SizeClasses::kUnitBytes);
  set_number(env, exports, "maxBlockBytes", SizeClasses::kMaxBlockBytes);
  set_number(env, exports, "minGrowth", SizeClasses::kMinGrowth);
  set_number(env, exports, "maxGrowth", SizeClasses::kMaxGrowth);
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
