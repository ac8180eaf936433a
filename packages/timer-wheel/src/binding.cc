// Node-API face of millrace/time/shared_timer_wheel.h: converts, and lets the event loop of the
// thread that made a wheel wait for it. src/native.ts declares what is exported.
//
// While a thread is being terminated, every Node-API call that may enter JavaScript fails, in the
// middle of any function here: results start as nullptr, and what follows must do without them.

#include <node_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <utility>

#include "environment.h"

namespace {

using namespace millrace;
using ClockKind = SharedTimerWheel::ClockKind;

napi_value number_of(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
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
  double number(std::size_t i) const {
    double value = 0;
    napi_get_value_double(env, arguments_[i], &value);
    return value;
  }
  template <class T>
  std::span<T> elements(std::size_t i) const {
    std::size_t length = 0;
    void* data = nullptr;
    napi_get_typedarray_info(env, arguments_[i], nullptr, &length, &data, nullptr, nullptr);
    return {static_cast<T*>(data), length};
  }

  napi_env env;
  Environment* at = nullptr;

 private:
  napi_value arguments_[3] = {};
};

// A call about the wheel in the registers.
struct WheelCall {
  WheelCall(napi_env env, napi_callback_info info) {
    void* data = nullptr;
    napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data);
    at = static_cast<Environment*>(data);
    handle = at->handle(at->registers->wheel);
    if (handle == nullptr) answer(Status::kClosed);
  }
  explicit operator bool() const { return handle != nullptr; }
  Registers& registers() const { return *at->registers; }
  SharedTimerWheel& wheel() const { return *handle->wheel; }
  void answer(Status status) const { registers().status = static_cast<std::uint32_t>(status); }
  void answer(bool done) const { answer(done ? Status::kDone : Status::kNo); }
  // JavaScript has checked it: an integer.
  std::uint64_t delay_ms() const { return static_cast<std::uint64_t>(registers().number); }

  Environment* at = nullptr;
  WheelHandle* handle = nullptr;
};

// Any number may come: what is no handle names no timer.
SharedTimerWheel::Handle timer_of(double number) {
  const bool fits = number >= 0 && number <= static_cast<double>(SharedTimerWheel::kMaxMs);
  return fits ? static_cast<SharedTimerWheel::Handle>(number) : SharedTimerWheel::kNoTimer;
}

// --- One timer ---

napi_value schedule(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  const auto timer =
      call.wheel().schedule(call.delay_ms(), call.registers().id, call.handle->owner);
  call.registers().timer = static_cast<double>(timer);
  const bool done = timer != SharedTimerWheel::kNoTimer;
  if (!done && call.wheel().ended()) {
    call.answer(Status::kClosed);
  } else {
    call.answer(done);
  }
  call.handle->update_hold();
  return nullptr;
}

napi_value cancel(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  call.answer(call.wheel().cancel(timer_of(call.registers().timer), call.handle->owner));
  call.handle->update_hold();
  return nullptr;
}

napi_value reschedule(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  call.answer(call.wheel().reschedule(timer_of(call.registers().timer), call.delay_ms()));
  return nullptr;
}

// --- Many ---

// (delays: Uint32Array, ids: Uint32Array, handles: Float64Array): how many, in `number`. The others
// are as long as the first, which JavaScript has checked.
napi_value schedule_many(napi_env env, napi_callback_info info) {
  const Call arrays(env, info);
  const WheelCall call(env, info);
  if (!call) return nullptr;
  const auto delays = arrays.elements<const std::uint32_t>(0);
  const auto ids = arrays.elements<const std::uint32_t>(1);
  const auto handles = arrays.elements<double>(2);
  const std::size_t count = std::min({delays.size(), ids.size(), handles.size()});
  call.registers().number = call.wheel().schedule_many(
      count, call.handle->owner,
      [&](std::size_t i, std::uint64_t& delay_ms, std::uint32_t& id) {
        delay_ms = delays[i];
        id = ids[i];
      },
      [&](std::size_t i, SharedTimerWheel::Handle timer) {
        handles[i] = static_cast<double>(timer);
      });
  call.answer(call.wheel().ended() ? Status::kClosed : Status::kDone);
  call.handle->update_hold();
  return nullptr;
}

// (handles: Float64Array): how many, in `number`.
napi_value cancel_many(napi_env env, napi_callback_info info) {
  const Call arrays(env, info);
  const WheelCall call(env, info);
  if (!call) return nullptr;
  const auto handles = arrays.elements<const double>(0);
  call.registers().number = call.wheel().cancel_many(
      handles.size(), call.handle->owner, [&](std::size_t i) { return timer_of(handles[i]); });
  call.answer(true);
  call.handle->update_hold();
  return nullptr;
}

// --- What has expired ---

// The ids as JavaScript's own, or nullptr if there are none.
napi_value ids_of(napi_env env, std::span<const std::uint32_t> ids) {
  if (ids.empty()) return nullptr;
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, ids.size_bytes(), &memory, &buffer) != napi_ok) return nullptr;
  std::memcpy(memory, ids.data(), ids.size_bytes());
  napi_create_typedarray(env, napi_uint32_array, ids.size(), buffer, 0, &array);
  return array;
}

// In the event loop: it is time for this wheel.
void on_ready(void* environment, void* subject) {
  auto& at = *static_cast<Environment*>(environment);
  auto& handle = *static_cast<WheelHandle*>(subject);
  at.expired.clear();
  handle.wheel->collect(at.expired);
  handle.update_hold();
  napi_handle_scope scope = nullptr;
  if (at.expired.empty() || napi_open_handle_scope(at.env, &scope) != napi_ok) return;
  napi_value function = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(at.env, at.dispatch, &function);
  napi_get_global(at.env, &global);
  const napi_value arguments[] = {number_of(at.env, handle.number), ids_of(at.env, at.expired)};
  if (arguments[1] != nullptr &&
      napi_make_callback(at.env, nullptr, global, function, std::size(arguments), arguments,
                         nullptr) != napi_ok) {
    napi_value thrown = nullptr;
    // Fails in a thread that is being terminated.
    if (napi_get_and_clear_last_exception(at.env, &thrown) == napi_ok && thrown != nullptr)
      napi_fatal_exception(at.env, thrown);
  }
  napi_close_handle_scope(at.env, scope);
}

// To the time in `number`: the ids, or undefined for none.
napi_value advance(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  call.at->expired.clear();
  call.wheel().advance(call.delay_ms(), call.at->expired);
  call.answer(true);
  return ids_of(env, call.at->expired);
}

// --- Figures, in `number` ---

napi_value size(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  call.registers().number = call.wheel().size();
  call.answer(true);
  return nullptr;
}

// Status kNo: no timer.
napi_value next_expiry(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  const std::uint64_t next = call.wheel().next_expiry_ms();
  call.registers().number = static_cast<double>(next);
  call.answer(next != SharedTimerWheel::kNever);
  return nullptr;
}

napi_value now(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  call.registers().number = static_cast<double>(call.wheel().now_ms());
  call.answer(true);
  return nullptr;
}

// --- The wheel itself ---

// (capacity, tick in ms, whether the clock is manual): a handle, or an error's negative number.
napi_value open(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto wheel = SharedTimerWheel::make(
      static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint32_t>(call.number(1)),
      call.number(2) != 0 ? ClockKind::kManual : ClockKind::kRunning);
  SystemError error = wheel->open();
  const WheelHandle* const handle =
      error ? nullptr : call.at->hold(std::move(wheel), true, &on_ready, error);
  return number_of(env, handle == nullptr ? -error.code : static_cast<double>(handle->number));
}

// (id, nonce): a handle, or -1: no such wheel lives. Status kDone: its clock is manual.
napi_value attach(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto wheel = SharedTimerWheel::find(
      {static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint64_t>(call.number(1))});
  if (wheel == nullptr || wheel->ended()) return number_of(env, -1);
  const bool manual = wheel->clock() == ClockKind::kManual;
  call.at->registers->status = static_cast<std::uint32_t>(manual ? Status::kDone : Status::kNo);
  SystemError error;
  const WheelHandle* const handle = call.at->hold(std::move(wheel), false, &on_ready, error);
  return number_of(env, handle == nullptr ? -1 : static_cast<double>(handle->number));
}

// (handle, whether live timers keep the event loop alive)
napi_value reference(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  WheelHandle* const handle = call.at->handle(static_cast<std::uint32_t>(call.number(0)));
  if (handle == nullptr) return nullptr;
  handle->referenced = call.number(1) != 0;
  handle->update_hold();
  return nullptr;
}

// A wheel of more timers is not seen by JavaScript from inside: V8 would take its memory for its
// own, although most of it is not in use.
constexpr std::size_t kMaxViewedBytes = std::size_t{1} << 28;

napi_value view_of(Environment& at, const std::shared_ptr<SharedTimerWheel>& wheel, void* memory,
                   std::size_t bytes) {
  View& view = at.views.emplace_back(View{wheel, at.views, {}});
  view.self = std::prev(at.views.end());
  const auto finalize = [](napi_env, void*, void* hint) {
    View& view = *static_cast<View*>(hint);
    view.all.erase(view.self);
  };
  napi_value buffer = nullptr;
  napi_create_external_arraybuffer(at.env, memory, bytes, finalize, &view, &buffer);
  return buffer;
}

// {nodes, log}: what cancel-log.ts cancels in, or undefined.
napi_value inside(napi_env env, napi_callback_info info) {
  const WheelCall call(env, info);
  if (!call) return nullptr;
  SharedTimerWheel& wheel = call.wheel();
  const auto nodes = wheel.nodes();
  if (nodes.size_bytes() > kMaxViewedBytes) return nullptr;
  CancelLog& log = wheel.cancel_log();
  const napi_value nodes_view =
      view_of(*call.at, call.handle->wheel, nodes.data(), nodes.size_bytes());
  const napi_value log_view = view_of(*call.at, call.handle->wheel, &log, sizeof log);
  if (nodes_view == nullptr || log_view == nullptr) return nullptr;
  napi_value answer = nullptr;
  napi_create_object(env, &answer);
  napi_set_named_property(env, answer, "nodes", nodes_view);
  napi_set_named_property(env, answer, "log", log_view);
  return answer;
}

// (buffer)
napi_value detach_view(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_detach_arraybuffer(env, call.argument(0));
  return nullptr;
}

// (handle)
napi_value close(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  call.at->close(static_cast<std::uint32_t>(call.number(0)));
  return nullptr;
}

// (handle)
napi_value share(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const WheelHandle* const handle = call.at->handle(static_cast<std::uint32_t>(call.number(0)));
  if (handle == nullptr) return nullptr;
  handle->wheel->share();
  const SharedToken token = handle->wheel->token();
  napi_value answer = nullptr;
  napi_create_object(env, &answer);
  napi_set_named_property(env, answer, "id", number_of(env, token.id));
  napi_set_named_property(env, answer, "nonce", number_of(env, static_cast<double>(token.nonce)));
  return answer;
}

// (registers: Uint8Array, dispatch): once a thread.
napi_value use(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_ref registers = nullptr;
  napi_create_reference(env, call.argument(0), 1, &registers);
  call.at->registers = reinterpret_cast<Registers*>(call.elements<std::uint8_t>(0).data());
  napi_create_reference(env, call.argument(1), 1, &call.at->dispatch);
  return nullptr;
}

napi_value initialize(napi_env env, napi_value exports) {
  auto* const at = new Environment(env);
  napi_set_instance_data(
      env, at, [](napi_env, void* data, void*) { delete static_cast<Environment*>(data); },
      nullptr);
  const std::pair<const char*, napi_callback> functions[] = {
      {"schedule", schedule},
      {"cancel", cancel},
      {"reschedule", reschedule},
      {"scheduleMany", schedule_many},
      {"cancelMany", cancel_many},
      {"advance", advance},
      {"size", size},
      {"nextExpiry", next_expiry},
      {"now", now},
      {"open", open},
      {"attach", attach},
      {"reference", reference},
      {"close", close},
      {"share", share},
      {"inside", inside},
      {"detachView", detach_view},
      {"use", use},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, at, &value);
    napi_set_named_property(env, exports, name, value);
  }
  const std::pair<const char*, double> numbers[] = {
      {"copy", static_cast<double>(SharedTimerWheel::copy_nonce())},
      {"maxCapacity", TimerWheel::kMaxCapacity},
      {"cancelLogCapacity", CancelLog::kCapacity},
      {"maxMs", static_cast<double>(SharedTimerWheel::kMaxMs)},
      {"registerBytes", sizeof(Registers)},
  };
  for (const auto& [name, value] : numbers) {
    napi_set_named_property(env, exports, name, number_of(env, value));
  }
  return exports;
}

}  // namespace

NAPI_MODULE_INIT() { return initialize(env, exports); }
