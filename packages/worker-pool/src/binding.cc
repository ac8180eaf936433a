// The addon of @millrace/worker-pool: doors, by which JavaScript threads wake each other. Tasks
// and results do not pass here; they lie in shared memory that TypeScript reads and writes.

#include <node_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "doors.h"

namespace {

std::uint32_t argument(napi_env env, napi_callback_info info, napi_value* second = nullptr) {
  napi_value arguments[2] = {};
  std::size_t count = 2;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  std::uint32_t id = 0;
  napi_get_value_uint32(env, arguments[0], &id);
  if (second != nullptr) *second = arguments[1];
  return id;
}

// One door, as its own environment sees it: shut when that ends, before its bell is taken away.
// The environment's end runs hooks in reverse order, and the bell was made first.
struct OwnDoor {
  std::uint32_t id;
  std::shared_ptr<Door> door;
};

void on_environment_end(void* data) {
  auto* const own = static_cast<OwnDoor*>(data);
  Doors::instance().remove(own->id);
  own->door->shut();
  delete own;
}

void on_ring(napi_env env, napi_value callback, void*, void*) {
  // Null: the environment is ending.
  if (env == nullptr || callback == nullptr) return;
  napi_value self = nullptr;
  napi_get_undefined(env, &self);
  if (napi_call_function(env, self, callback, 0, nullptr, nullptr) != napi_pending_exception)
    return;
  // Left pending it would be swallowed with a warning, and what waits for an answer would for ever.
  napi_value exception = nullptr;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
}

// open(callback): {id, handle}; handle is for hold and shut, by this thread alone.
napi_value open(napi_env env, napi_callback_info info) {
  napi_value callback = nullptr;
  std::size_t count = 1;
  napi_get_cb_info(env, info, &count, &callback, nullptr, nullptr);
  napi_value name = nullptr;
  napi_create_string_utf8(env, "millrace worker pool", NAPI_AUTO_LENGTH, &name);
  napi_threadsafe_function bell = nullptr;
  if (napi_create_threadsafe_function(env, callback, nullptr, name, 1, 1, nullptr, nullptr, nullptr,
                                      &on_ring, &bell) != napi_ok) {
    return nullptr;  // The thread is being terminated.
  }
  napi_unref_threadsafe_function(env, bell);
  const napi_node_version* version = nullptr;
  napi_get_node_version(env, &version);
  auto door = std::make_shared<Door>(bell, current_isolate(version->major));
  auto* const own = new OwnDoor{Doors::instance().add(door), std::move(door)};
  napi_add_env_cleanup_hook(env, &on_environment_end, own);
  napi_value result = nullptr;
  napi_value id = nullptr;
  napi_value handle = nullptr;
  napi_create_object(env, &result);
  napi_create_uint32(env, own->id, &id);
  napi_create_external(env, own, nullptr, nullptr, &handle);
  napi_set_named_property(env, result, "id", id);
  napi_set_named_property(env, result, "handle", handle);
  return result;
}

OwnDoor* own_door(napi_env env, napi_callback_info info, napi_value* second = nullptr) {
  napi_value arguments[2] = {};
  std::size_t count = 2;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  void* own = nullptr;
  napi_get_value_external(env, arguments[0], &own);
  if (second != nullptr) *second = arguments[1];
  return static_cast<OwnDoor*>(own);
}

// hold(handle, on)
napi_value hold(napi_env env, napi_callback_info info) {
  napi_value on_value = nullptr;
  const OwnDoor* const own = own_door(env, info, &on_value);
  bool on = false;
  napi_get_value_bool(env, on_value, &on);
  own->door->hold(env, on);
  return nullptr;
}

// shut(handle): the handle is not to be used again.
napi_value shut(napi_env env, napi_callback_info info) {
  OwnDoor* const own = own_door(env, info);
  napi_remove_env_cleanup_hook(env, &on_environment_end, own);
  on_environment_end(own);
  return nullptr;
}

// ring(id)
napi_value ring(napi_env env, napi_callback_info info) {
  if (const auto door = Doors::instance().find(argument(env, info))) door->ring();
  return nullptr;
}

// requestStack(id)
napi_value request_stack(napi_env env, napi_callback_info info) {
  const std::uint32_t id = argument(env, info);
  const auto door = Doors::instance().find(id);
  napi_value result = nullptr;
  napi_get_boolean(env, door != nullptr && door->request_stack(id), &result);
  return result;
}

// takeStack(id): undefined when there is none.
napi_value take_stack(napi_env env, napi_callback_info info) {
  const auto door = Doors::instance().find(argument(env, info));
  const std::string stack = door == nullptr ? std::string() : door->take_stack();
  if (stack.empty()) return nullptr;
  napi_value result = nullptr;
  napi_create_string_utf8(env, stack.data(), stack.size(), &result);
  return result;
}

}  // namespace

NAPI_MODULE_INIT() {
  const auto add = [&](const char* name, napi_callback function) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  };
  add("open", open);
  add("hold", hold);
  add("shut", shut);
  add("ring", ring);
  add("requestStack", request_stack);
  add("takeStack", take_stack);
  return exports;
}
