// The glue between a vendor's library and a feed: what an addon of your own would be. The callback
// copies the message into the feed and returns; nothing here enters JavaScript.

#include <millrace/feed.h>
#include <node_api.h>

#include <cstdint>

#include "vendor_sdk.h"

namespace {

// One for the process: the library's, not an environment's.
struct Connection {
  millrace_feed* feed;
  vendor::Session session;

  Connection(millrace_feed* opened, const vendor::Options& options)
      : feed(opened), session(options, &Connection::on_message, this) {}

  static void on_message(void* user, const void* bytes, std::uint32_t length,
                         std::uint32_t instrument) {
    // Accepted or refused, by the feed's policy, and counted there.
    millrace_feed_push(static_cast<Connection*>(user)->feed, bytes, length, &instrument);
  }
};

Connection* connection = nullptr;

double option(napi_env env, napi_value options, const char* name) {
  napi_value value = nullptr;
  double result = 0;
  napi_get_named_property(env, options, name, &value);
  napi_get_value_double(env, value, &result);
  return result;
}

// start(address, { perSecond, burstPerSecond, burstSeconds, periodSeconds, instruments, bytes })
napi_value start(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  std::size_t count = 2;
  std::uint64_t address = 0;
  bool lossless = false;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  napi_get_value_bigint_uint64(env, arguments[0], &address, &lossless);
  if (connection != nullptr) {
    napi_throw_error(env, nullptr, "the vendor's session has been started before");
    return nullptr;
  }
  millrace_feed* const feed = millrace_feed_open(address);
  if (feed == nullptr) {
    napi_throw_error(env, nullptr, "no feed of this version of millrace/feed.h");
    return nullptr;
  }
  vendor::Options options;
  options.per_second = option(env, arguments[1], "perSecond");
  options.burst_per_second = option(env, arguments[1], "burstPerSecond");
  options.burst_seconds = option(env, arguments[1], "burstSeconds");
  options.period_seconds = option(env, arguments[1], "periodSeconds");
  options.instruments = static_cast<std::uint32_t>(option(env, arguments[1], "instruments"));
  options.bytes = static_cast<std::uint32_t>(option(env, arguments[1], "bytes"));
  connection = new Connection(feed, options);
  return nullptr;
}

// backlog(): messages in the library's own list.
napi_value backlog(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  const std::uint64_t count = connection == nullptr ? 0 : connection->session.backlog();
  napi_create_double(env, static_cast<double>(count), &result);
  return result;
}

// stop(): no callback comes any more; the feed is let go of.
napi_value stop(napi_env, napi_callback_info) {
  if (connection == nullptr) return nullptr;
  connection->session.stop();
  millrace_feed_release(connection->feed);
  delete connection;
  connection = nullptr;
  return nullptr;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"start", start}, {"backlog", backlog}, {"stop", stop}};
  for (const auto& [name, function] : functions) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
