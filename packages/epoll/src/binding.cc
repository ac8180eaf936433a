// Node-API face of millrace/io/epoll.h and millrace/io/event_fd.h: converts, and hangs epoll
// instances in the event loop of the calling thread. src/native.ts declares what is exported.
//
// While a thread is being terminated, every Node-API call that may enter JavaScript fails, in the
// middle of any function here: results start as nullptr, and what follows must do without them.

#include <node_api.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>

#include "batch.h"
#include "blocking_wait.h"
#include "environment.h"

namespace {

using namespace millrace;

// What wait() answers when the thread's loop has work. Errors are negative, counts are not.
constexpr double kLoopHasWork = -100'000;
// What one wait() brings at the most: they pass through the stack.
constexpr std::size_t kMostEvents = 1024;

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env(env) {
    std::size_t count = std::size(arguments_);
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, arguments_, nullptr, &data);
    at = static_cast<Environment*>(data);
  }

  napi_value argument(std::size_t i) const { return arguments_[i]; }
  double f64(std::size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments_[i], &value);
    return value;
  }
  std::uint32_t u32(std::size_t i) const {
    std::uint32_t value = 0;
    napi_get_value_uint32(env, arguments_[i], &value);
    return value;
  }
  bool flag(std::size_t i) const {
    bool value = false;
    napi_get_value_bool(env, arguments_[i], &value);
    return value;
  }
  std::span<std::uint32_t> words(std::size_t i) const {
    std::size_t length = 0;
    void* data = nullptr;
    napi_get_typedarray_info(env, arguments_[i], nullptr, &length, &data, nullptr, nullptr);
    return {static_cast<std::uint32_t*>(data), length};
  }
  // 0, or the error as a negative errno.
  napi_value result(const SystemError& error) const { return number(env, -error.code); }

  napi_env env;
  Environment* at = nullptr;

 private:
  napi_value arguments_[5] = {};
};

// (operation, fd, events, data) on either kind of epoll instance.
SystemError control(Epoll& epoll, const Call& call, std::uint64_t data) {
  const int fd = static_cast<int>(call.u32(2));
  switch (call.u32(1)) {
    case EPOLL_CTL_ADD:
      return epoll.add(fd, call.u32(3), data);
    case EPOLL_CTL_MOD:
      return epoll.modify(fd, call.u32(3), data);
    default:
      return epoll.remove(fd);
  }
}

// --- In the event loop ---

// Calls JavaScript's dispatcher until it has begun with all events: what a callback throws ends the
// call in the middle, becomes an uncaught exception, and must not cost the others their edges.
void dispatch(LoopPoller& poller, std::span<const epoll_event> events, const SystemError& error) {
  const Environment& at = *static_cast<Environment*>(poller.context);
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(at.env, &scope) != napi_ok) return;
  at.batch[Batch::kBegun] = 0;
  std::uint32_t* word = at.batch + Batch::kFirst;
  for (const epoll_event& event : events) {
    word[0] = static_cast<std::uint32_t>(event.data.u64);
    word[1] = event.events;
    word[2] = static_cast<std::uint32_t>(event.data.u64 >> 32);
    word += Batch::kStride;
  }
  napi_value function = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(at.env, at.dispatch, &function);
  napi_get_global(at.env, &global);
  const napi_value arguments[] = {number(at.env, poller.id),
                                  number(at.env, static_cast<double>(events.size())),
                                  number(at.env, -error.code)};
  for (std::uint32_t begun = 0;; begun = at.batch[Batch::kBegun]) {
    const napi_status status = napi_make_callback(at.env, nullptr, global, function,
                                                  std::size(arguments), arguments, nullptr);
    if (status == napi_ok) break;
    napi_value thrown = nullptr;
    if (napi_get_and_clear_last_exception(at.env, &thrown) != napi_ok || thrown == nullptr) break;
    // Fails in a thread that is being terminated.
    if (napi_fatal_exception(at.env, thrown) != napi_ok) break;
    if (at.batch[Batch::kBegun] == begun || at.batch[Batch::kBegun] >= events.size()) break;
  }
  napi_close_handle_scope(at.env, scope);
}

// (dispatch, batch): what dispatch() calls, and where it puts the events. Once a thread.
napi_value use(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_create_reference(env, call.argument(0), 1, &call.at->dispatch);
  napi_ref batch = nullptr;
  napi_create_reference(env, call.argument(1), 1, &batch);
  call.at->batch = call.words(1).data();
  return nullptr;
}

// A handle, or a negative errno.
napi_value open_poller(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  SystemError error;
  const LoopPoller* const poller = call.at->open_poller(&dispatch, error);
  return poller == nullptr ? call.result(error) : number(env, poller->id);
}

// (handle, operation, fd, events, registration): 0 or a negative errno.
napi_value control_poller(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LoopPoller* const poller = call.at->poller(call.u32(0));
  if (poller == nullptr) return number(env, -EBADF);
  const std::uint64_t data = std::uint64_t{call.u32(4)} << 32 | call.u32(2);
  return call.result(control(poller->epoll, call, data));
}

napi_value hold_loop(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  LoopPoller* const poller = call.at->poller(call.u32(0));
  if (poller != nullptr) poller->hold(call.flag(1));
  return nullptr;
}

napi_value close_poller(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.at->end_poller(call.u32(0));
  return nullptr;
}

// --- Waiting ---

napi_value open_set(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Epoll set;
  if (const SystemError error = set.open()) return call.result(error);
  const std::uint32_t handle = call.at->next_handle();
  call.at->sets.emplace(handle, std::move(set));
  return number(env, handle);
}

// (handle, operation, fd, events): 0 or a negative errno.
napi_value control_set(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto found = call.at->sets.find(call.u32(0));
  if (found == call.at->sets.end()) return number(env, -EBADF);
  return call.result(control(found->second, call, call.u32(2)));
}

// (handle, out, timeoutMs, negative: for ever): how many pairs were written to `out`, a negative
// errno, or kLoopHasWork: to be called again, with what is left of the time.
napi_value wait(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const auto found = call.at->sets.find(call.u32(0));
  if (found == call.at->sets.end()) return number(env, -EBADF);
  const std::span<std::uint32_t> out = call.words(1);
  std::array<epoll_event, kMostEvents> events;
  const std::span room = std::span(events).first(std::min(out.size() / 2, events.size()));
  SystemError error;
  int count = 0;
  const WaitEnd end = BlockingWait::wait(found->second, uv_backend_fd(call.at->loop), room,
                                         call.f64(2), count, error);
  if (error) return call.result(error);
  if (end == WaitEnd::kLoop) return number(env, kLoopHasWork);
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    out[2 * i] = static_cast<std::uint32_t>(room[i].data.u64);
    out[2 * i + 1] = room[i].events;
  }
  return number(env, count);
}

napi_value close_set(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.at->sets.erase(call.u32(0));
  return nullptr;
}

// --- Event descriptors ---

// (initial, semaphore): a handle, or a negative errno.
napi_value open_event(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  EventFd event;
  if (const SystemError error = event.open(call.u32(0), call.flag(1))) return call.result(error);
  const std::uint32_t handle = call.at->next_handle();
  call.at->events.emplace(handle, std::move(event));
  return number(env, handle);
}

// nullptr: closed.
EventFd* event_of(const Call& call) {
  const auto found = call.at->events.find(call.u32(0));
  return found == call.at->events.end() ? nullptr : &found->second;
}

napi_value event_descriptor(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const EventFd* const event = event_of(call);
  return number(env, event == nullptr ? -1 : event->fd());
}

napi_value notify(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  if (EventFd* const event = event_of(call)) event->notify(static_cast<std::uint64_t>(call.f64(1)));
  return nullptr;
}

napi_value drain(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  EventFd* const event = event_of(call);
  return number(env, event == nullptr ? 0 : static_cast<double>(event->drain()));
}

napi_value close_event(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.at->events.erase(call.u32(0));
  return nullptr;
}

// --- What the addon exports ---

napi_value init(napi_env env, napi_value exports) {
  auto* const at = new Environment(env);
  napi_set_instance_data(
      env, at, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const std::pair<const char*, napi_callback> functions[] = {
      {"use", use},
      {"openPoller", open_poller},
      {"controlPoller", control_poller},
      {"holdLoop", hold_loop},
      {"closePoller", close_poller},
      {"openSet", open_set},
      {"controlSet", control_set},
      {"wait", wait},
      {"closeSet", close_set},
      {"openEvent", open_event},
      {"eventDescriptor", event_descriptor},
      {"notify", notify},
      {"drain", drain},
      {"closeEvent", close_event},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, at, &value);
    napi_set_named_property(env, exports, name, value);
  }
  const std::pair<const char*, double> numbers[] = {
      {"EPOLLIN", EPOLLIN},
      {"EPOLLPRI", EPOLLPRI},
      {"EPOLLOUT", EPOLLOUT},
      {"EPOLLERR", EPOLLERR},
      {"EPOLLHUP", EPOLLHUP},
      {"EPOLLRDHUP", EPOLLRDHUP},
      {"EPOLLEXCLUSIVE", EPOLLEXCLUSIVE},
      {"EPOLLONESHOT", EPOLLONESHOT},
      {"EPOLLET", EPOLLET},
      {"ADD", EPOLL_CTL_ADD},
      {"MODIFY", EPOLL_CTL_MOD},
      {"REMOVE", EPOLL_CTL_DEL},
      {"LOOP_HAS_WORK", kLoopHasWork},
      {"batchBegun", Batch::kBegun},
      {"batchFirst", Batch::kFirst},
      {"batchStride", Batch::kStride},
      {"batchWords", Batch::kWords},
  };
  for (const auto& [name, value] : numbers) {
    napi_set_named_property(env, exports, name, number(env, value));
  }
  return exports;
}

}  // namespace

NAPI_MODULE(NODE_GYP_MODULE_NAME, init)
