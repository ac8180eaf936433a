// Native threads that produce messages. Each function starts one and returns; result() says when
// it has come to its end. One at a time: each process of the benchmark measures one thing.

#include <node_api.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "millrace/feed.h"

namespace {

constexpr std::uint32_t kLargest = 4096;
constexpr std::uint32_t kCallQueue = 4096;  // of the thread-safe function: bounded, like the feed
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSlice = 1'000'000;  // of an even rate: nanoseconds

std::int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

void wait_until(std::int64_t due_ns) {
  timespec due{due_ns / kSecond, due_ns % kSecond};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);
}

struct Message {
  explicit Message(std::uint32_t length) : length(std::min(length, kLargest)) {}
  void number(std::uint32_t value) { std::memcpy(bytes, &value, sizeof(value)); }
  std::uint32_t length;
  unsigned char bytes[kLargest] = {};
};

// What the thread leaves behind.
struct Result {
  std::atomic<bool> done{false};
  std::uint64_t offered = 0;
  std::uint64_t accepted = 0;
  std::uint64_t elapsed_ns = 0;
  std::vector<std::int64_t> times;  // sorted
  std::int64_t clock_ns = 0;        // of reading the clock, which is in each of them
};
Result* const result = new Result;

void finish() {
  // Release: pairs with the acquire in result().
  result->done.store(true, std::memory_order_release);
}

double number(napi_env env, napi_value value) {
  double answer = 0;
  napi_get_value_double(env, value, &answer);
  return answer;
}

millrace_feed* open(napi_env env, napi_value address) {
  std::uint64_t value = 0;
  bool lossless = false;
  napi_get_value_bigint_uint64(env, address, &value, &lossless);
  millrace_feed* const feed = millrace_feed_open(value);
  if (feed == nullptr) napi_throw_error(env, nullptr, "no feed of this version");
  return feed;
}

template <std::size_t kCount>
struct Arguments {
  Arguments(napi_env env, napi_callback_info info) {
    std::size_t count = kCount;
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  napi_value values[kCount];
};

// push(address, messages, bytes): as fast as the feed takes them.
napi_value push(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  millrace_feed* const feed = open(env, given.values[0]);
  if (feed == nullptr) return nullptr;
  const auto messages = static_cast<std::uint32_t>(number(env, given.values[1]));
  const Message sample(static_cast<std::uint32_t>(number(env, given.values[2])));
  std::thread([=] {
    Message message = sample;
    for (std::uint32_t i = 0; i < messages; ++i) {
      message.number(i);
      if (millrace_feed_push(feed, message.bytes, message.length, nullptr) == 0) ++result->accepted;
    }
    millrace_feed_release(feed);
    finish();
  }).detach();
  return nullptr;
}

void call_back(napi_env env, napi_value callback, void* context, void* data) {
  napi_value undefined = nullptr;
  napi_value buffer = nullptr;
  if (env != nullptr) {
    const auto length = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(context));
    napi_get_undefined(env, &undefined);
    napi_create_buffer_copy(env, length, data, nullptr, &buffer);
    napi_call_function(env, undefined, callback, 1, &buffer, nullptr);
  }
  std::free(data);
}

// call(callback, messages, bytes): a thread-safe function a message, which waits for room.
napi_value call(napi_env env, napi_callback_info info) {
  const Arguments<3> given(env, info);
  const auto messages = static_cast<std::uint32_t>(number(env, given.values[1]));
  const Message sample(static_cast<std::uint32_t>(number(env, given.values[2])));
  napi_value name = nullptr;
  napi_create_string_utf8(env, "producer", NAPI_AUTO_LENGTH, &name);
  napi_threadsafe_function function = nullptr;
  napi_create_threadsafe_function(env, given.values[0], nullptr, name, kCallQueue, 1, nullptr,
                                  nullptr, reinterpret_cast<void*>(std::uintptr_t{sample.length}),
                                  &call_back, &function);
  std::thread([=] {
    Message message = sample;
    for (std::uint32_t i = 0; i < messages; ++i) {
      message.number(i);
      void* const copy = std::malloc(message.length);
      std::memcpy(copy, message.bytes, message.length);
      napi_call_threadsafe_function(function, copy, napi_tsfn_blocking);
    }
    napi_release_threadsafe_function(function, napi_tsfn_release);
    finish();
  }).detach();
  return nullptr;
}

// offer(address, perSecond, seconds, bytes, keys): at an even rate, whatever becomes of them. What
// a slow push delays is made up for.
napi_value offer(napi_env env, napi_callback_info info) {
  const Arguments<5> given(env, info);
  millrace_feed* const feed = open(env, given.values[0]);
  if (feed == nullptr) return nullptr;
  const double per_second = number(env, given.values[1]);
  const double seconds = number(env, given.values[2]);
  const Message sample(static_cast<std::uint32_t>(number(env, given.values[3])));
  const auto keys = static_cast<std::uint32_t>(number(env, given.values[4]));
  std::thread([=] {
    Message message = sample;
    const std::int64_t began = now_ns();
    const auto length = static_cast<std::int64_t>(seconds * static_cast<double>(kSecond));
    std::uint32_t sent = 0;
    bool closed = false;
    for (std::int64_t at = 0; at < length && now_ns() - began < length && !closed; at += kSlice) {
      wait_until(began + at);
      const double due =
          per_second * static_cast<double>(at + kSlice) / static_cast<double>(kSecond);
      while (sent < due && !closed) {
        // A push that waits makes a slice long: the time is looked at now and then.
        if (sent % 256 == 0 && now_ns() - began >= length) break;
        message.number(sent);
        const std::uint32_t key = sent++ % keys;
        const int answer = millrace_feed_push(feed, message.bytes, message.length, &key);
        if (answer == MILLRACE_FEED_ACCEPTED) ++result->accepted;
        closed = answer == MILLRACE_FEED_CLOSED;
      }
    }
    result->offered = sent;
    result->elapsed_ns = static_cast<std::uint64_t>(now_ns() - began);
    millrace_feed_release(feed);
    finish();
  }).detach();
  return nullptr;
}

// time(address, messages, bytes, gapNs): how long each push takes, with a pause before each in
// which it keeps its processor.
napi_value time(napi_env env, napi_callback_info info) {
  const Arguments<4> given(env, info);
  millrace_feed* const feed = open(env, given.values[0]);
  if (feed == nullptr) return nullptr;
  const auto messages = static_cast<std::uint32_t>(number(env, given.values[1]));
  const Message sample(static_cast<std::uint32_t>(number(env, given.values[2])));
  const auto gap = static_cast<std::int64_t>(number(env, given.values[3]));
  std::thread([=] {
    Message message = sample;
    std::vector<std::int64_t> times(messages);
    for (std::int64_t& each : times) {
      const std::int64_t began = now_ns();
      each = now_ns() - began;
    }
    std::ranges::sort(times);
    result->clock_ns = times[messages / 2];
    for (std::uint32_t i = 0; i < messages; ++i) {
      for (const std::int64_t due = now_ns() + gap; now_ns() < due;) {
      }
      message.number(i);
      const std::int64_t began = now_ns();
      const int answer = millrace_feed_push(feed, message.bytes, message.length, nullptr);
      times[i] = now_ns() - began;
      if (answer == MILLRACE_FEED_ACCEPTED) ++result->accepted;
    }
    std::ranges::sort(times);
    result->times = std::move(times);
    millrace_feed_release(feed);
    finish();
  }).detach();
  return nullptr;
}

// wake(rings, gapNs): how long a write to an eventfd takes that wakes a thread asleep in
// epoll_wait(): the least that waking an event loop can cost on this machine.
napi_value wake(napi_env env, napi_callback_info info) {
  const Arguments<2> given(env, info);
  const auto rings = static_cast<std::uint32_t>(number(env, given.values[0]));
  const auto gap = static_cast<std::int64_t>(number(env, given.values[1]));
  std::thread([=] {
    const int bell = eventfd(0, EFD_NONBLOCK);
    std::atomic<bool> over{false};
    std::thread sleeper([&] {
      const int loop = epoll_create1(0);
      epoll_event event{};
      event.events = EPOLLIN;
      epoll_ctl(loop, EPOLL_CTL_ADD, bell, &event);
      eventfd_t rung;
      // Relaxed: the write to the descriptor orders it.
      while (!over.load(std::memory_order_relaxed)) {
        epoll_wait(loop, &event, 1, -1);
        eventfd_read(bell, &rung);
      }
      close(loop);
    });
    std::vector<std::int64_t> times(rings);
    for (std::int64_t& each : times) {
      for (const std::int64_t due = now_ns() + gap; now_ns() < due;) {
      }
      const std::int64_t began = now_ns();
      eventfd_write(bell, 1);
      each = now_ns() - began;
    }
    over.store(true, std::memory_order_relaxed);
    eventfd_write(bell, 1);
    sleeper.join();
    close(bell);
    std::ranges::sort(times);
    result->times = std::move(times);
    finish();
  }).detach();
  return nullptr;
}

// result(): undefined while the thread is at work.
napi_value take_result(napi_env env, napi_callback_info) {
  napi_value answer = nullptr;
  // Acquire: pairs with the release in finish().
  if (!result->done.load(std::memory_order_acquire)) return nullptr;
  const auto quantile = [](double share) {
    const std::size_t count = result->times.size();
    if (count == 0) return 0.0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(count - 1));
    return static_cast<double>(result->times[at]);
  };
  const struct {
    const char* name;
    double value;
  } fields[] = {
      {"offered", static_cast<double>(result->offered)},
      {"accepted", static_cast<double>(result->accepted)},
      {"elapsedNs", static_cast<double>(result->elapsed_ns)},
      {"clockNs", static_cast<double>(result->clock_ns)},
      {"p50", quantile(0.5)},
      {"p99", quantile(0.99)},
      {"p999", quantile(0.999)},
  };
  napi_create_object(env, &answer);
  for (const auto& [name, value] : fields) {
    napi_value number = nullptr;
    napi_create_double(env, value, &number);
    napi_set_named_property(env, answer, name, number);
  }
  return answer;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {
      {"push", push}, {"call", call}, {"offer", offer},
      {"time", time}, {"wake", wake}, {"result", take_result},
  };
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
