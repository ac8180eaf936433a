// The addon of @millrace/server: converts, checks and throws. What a server is stands in
// millrace/server; native.ts describes these functions.

#include <node_api.h>

#include <napi.h>

#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "millrace/server/consumer.h"
#include "millrace/server/memory_plan.h"
#include "millrace/server/shared_server.h"

namespace {

using namespace millrace;

// One JavaScript thread's hold on a server: as one of its workers, or as a publisher.
struct Attachment {
  explicit Attachment(std::shared_ptr<SharedServer> held) : server(std::move(held)) {}

  Outbound& outbound() { return consumer ? consumer->outbound() : *publisher; }
  PipelineCore& core() { return server->pipeline.core; }

  std::shared_ptr<SharedServer> server;
  std::unique_ptr<Consumer> consumer;  // a worker
  std::unique_ptr<Outbound> publisher;
  std::unique_ptr<std::uint32_t[]> publisher_memory;
  napi_env env = nullptr;
  napi_ref on_batch = nullptr;
  napi_ref on_busy = nullptr;
  napi_threadsafe_function bell = nullptr;
  bool hooked = false;
  CloseReason end_reason = CloseReason::kError;
};

// The owner's thread: hears of new connections.
struct Announcer {
  std::shared_ptr<SharedServer> server;
  napi_env env = nullptr;
  napi_threadsafe_function bell = nullptr;
  bool listening = false;
};

// What this environment holds. Everything in it is for the environment's own thread.
struct Environment {
  std::unordered_map<std::uint32_t, std::shared_ptr<SharedServer>> owned;
  std::unordered_map<std::uint32_t, std::unique_ptr<Attachment>> attachments;
  std::unordered_map<std::uint32_t, std::unique_ptr<Announcer>> announcers;
  std::uint32_t last_attachment = 0;
  SystemError error;
};

Environment& environment(const Napi::CallbackInfo& info) {
  return *info.Env().GetInstanceData<Environment>();
}

std::uint32_t u32(const Napi::Value& value) { return value.As<Napi::Number>().Uint32Value(); }

// nullptr: closed, or never there; TypeScript throws.
SharedServer* owned(const Napi::CallbackInfo& info) {
  auto& servers = environment(info).owned;
  const auto found = servers.find(u32(info[0]));
  return found == servers.end() ? nullptr : found->second.get();
}

Attachment* attached(const Napi::CallbackInfo& info) {
  auto& attachments = environment(info).attachments;
  const auto found = attachments.find(u32(info[0]));
  return found == attachments.end() ? nullptr : found->second.get();
}

ConnectionKey key_at(const Napi::CallbackInfo& info, std::size_t i) {
  return {u32(info[i]), u32(info[i + 1])};
}

// Calls use(Connection&) with the connection pinned; false when the key is stale.
template <class Use>
bool with(PipelineCore& core, ConnectionKey key, Use&& use) {
  Connection* connection = core.table.pin(key, true);
  if (connection == nullptr) return false;
  use(*connection);
  core.table.unpin(*connection);
  return true;
}

std::string_view bytes_of(const Napi::Value& value) {
  const auto array = value.As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
}

Napi::Value number(const Napi::CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}

// 0, or the error's negative number, whose system call lastSyscall() then names.
Napi::Value result(const Napi::CallbackInfo& info, const SystemError& error) {
  environment(info).error = error;
  return number(info, -error.code);
}

// --- Memory that JavaScript sees ------------------------------------------------------------------

// A view of memory that `server` keeps, alive as long as the view is.
Napi::Value view(Napi::Env env, const std::shared_ptr<SharedServer>& server, void* data,
                 std::size_t bytes) {
  auto* hold = new std::shared_ptr<SharedServer>(server);
  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      env, data, bytes,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<SharedServer>*>(hint); },
      hold, &buffer);
  if (status != napi_ok) {
    delete hold;
    return env.Undefined();
  }
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

// --- Servers --------------------------------------------------------------------------------------

PipelineOptions read_options(const Napi::CallbackInfo& info) {
  const auto n = info[0].As<Napi::Float64Array>();
  const auto framing = info[1].As<Napi::Uint32Array>();
  PipelineOptions o;
  decode_framing({framing.Data(), framing.ElementLength()}, o.framing);
  const auto u = [&](std::size_t i) { return static_cast<std::uint32_t>(n[i]); };
  o.workers = u(0);
  o.max_connections = u(1);
  o.descriptors = u(2);
  o.max_bytes = static_cast<std::size_t>(n[3]);
  o.inbox_capacity = u(4);
  o.max_subscriptions = u(5);
  o.max_per_address = u(6);
  o.accept_rate = u(7);
  o.idle_timeout_ms = u(8);
  o.first_byte_timeout_ms = u(9);
  o.max_lifetime_ms = u(10);
  o.read_budget_bytes = u(11);
  o.read_budget_us = u(12);
  o.high_water_bytes = u(13);
  o.low_water_bytes = u(14);
  o.max_write_bytes = u(15);
  o.slow_consumer = static_cast<SlowConsumer>(u(16));
  o.no_delay = n[17] != 0;
  return o;
}

Napi::Value memory_plan(const Napi::CallbackInfo& info) {
  Napi::Array parts = Napi::Array::New(info.Env());
  plan_memory(read_options(info), [&](const char* name, std::size_t bytes) {
    Napi::Object part = Napi::Object::New(info.Env());
    part.Set("name", name);
    part.Set("bytes", static_cast<double>(bytes));
    parts.Set(parts.Length(), part);
  });
  return parts;
}

Napi::Value create(const Napi::CallbackInfo& info) {
  auto server = SharedServer::make(read_options(info));
  if (const SystemError error = server->pipeline.open()) return result(info, error);
  const std::uint32_t id = server->id();
  environment(info).owned.emplace(id, std::move(server));
  return number(info, id);
}

Napi::Value token(const Napi::CallbackInfo& info) {
  const SharedServer* server = owned(info);
  return server == nullptr ? info.Env().Undefined() : number(info, server->nonce());
}

Napi::Value last_syscall(const Napi::CallbackInfo& info) {
  const char* name = environment(info).error.syscall;
  return Napi::String::New(info.Env(), name == nullptr ? "" : name);
}

// listen(id, kind, text, number, backlog, ipv6Only, reusePort): kind 0 = host and port, 1 = path,
// 2 = descriptor.
Napi::Value listen(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return result(info, {EBADF, "listen"});
  const std::string text = info[2].As<Napi::String>().Utf8Value();
  const std::uint32_t kind = u32(info[1]);
  FileDescriptor listener;
  SystemError error;
  if (kind == 0) {
    ListenOptions options;
    options.host = text;
    options.port = static_cast<std::uint16_t>(u32(info[3]));
    options.backlog = static_cast<int>(u32(info[4]));
    options.ipv6_only = info[5].As<Napi::Boolean>().Value();
    options.reuse_port = info[6].As<Napi::Boolean>().Value();
    error = listen_tcp(options, listener);
  } else if (kind == 1) {
    error = listen_unix(text, static_cast<int>(u32(info[4])), listener);
  } else {
    error = listen_fd(static_cast<int>(u32(info[3])), static_cast<int>(u32(info[4])), listener);
  }
  if (error) return result(info, error);
  const int fd = listener.get();
  server->pipeline.acceptor.on_accepted(
      [](void* context, ConnectionKey key) { static_cast<SharedServer*>(context)->on_accepted(key); },
      server);
  error = server->pipeline.start(std::move(listener));
  if (!error) environment(info).announcers[u32(info[0])]->listening = true;
  return error ? result(info, error) : number(info, fd);
}

Napi::Object address_object(Napi::Env env, const SocketAddress& address) {
  Napi::Object out = Napi::Object::New(env);
  if (address.family == AF_UNIX) return out;
  out.Set("address", address.ip);
  out.Set("family", address.family == AF_INET6 ? "IPv6" : "IPv4");
  out.Set("port", Napi::Number::New(env, address.port));
  return out;
}

// The local address of any descriptor: of the listener, or of a connection that its caller holds.
Napi::Value local_address_of(const Napi::CallbackInfo& info) {
  SocketAddress address;
  if (local_address(static_cast<int>(u32(info[0])), address)) return info.Env().Undefined();
  return address_object(info.Env(), address);
}

Napi::Value control(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return info.Env().Undefined();
  const std::string what = info[1].As<Napi::String>().Utf8Value();
  StagedPipeline& pipeline = server->pipeline;
  if (what == "pause") pipeline.acceptor.pause();
  if (what == "resume") pipeline.acceptor.resume();
  if (what == "endAll") pipeline.end_all();
  if (what == "closeAll") pipeline.close_all(CloseReason::kServer);
  if (what == "stopListening") pipeline.acceptor.close_listener();
  if (what == "announce") server->announce(true);
  if (what == "silence") server->announce(false);
  if (what == "stop") pipeline.stop();
  return info.Env().Undefined();
}

void release_announcer(Announcer& announcer) {
  announcer.server->pipeline.accepted_bell.detach();
  if (announcer.bell != nullptr) {
    napi_release_threadsafe_function(announcer.bell, napi_tsfn_abort);
    announcer.bell = nullptr;
  }
}

// Ends the threads, and the port with them: what other threads hold on to is memory.
void end_server(Announcer& announcer) {
  release_announcer(announcer);
  StagedPipeline& pipeline = announcer.server->pipeline;
  pipeline.stop();
  if (!announcer.listening) return;
  pipeline.acceptor.close_listener();
  pipeline.acceptor.step();  // its thread is gone
}

// The owner's thread ends without having closed its server: nobody may connect to it any more.
void end_announcer(void* data) { end_server(*static_cast<Announcer*>(data)); }

// Ends this thread's ownership. Attachments and views keep the memory until they go.
Napi::Value destroy(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  const std::uint32_t id = u32(info[0]);
  if (const auto found = env.announcers.find(id); found != env.announcers.end()) {
    end_server(*found->second);
    napi_remove_env_cleanup_hook(info.Env(), &end_announcer, found->second.get());
    env.announcers.erase(found);
  }
  env.owned.erase(id);
  return info.Env().Undefined();
}

// --- Doorbells ------------------------------------------------------------------------------------

// A thread-safe function that carries nothing: a queue of one, never blocking, so any number of rings
// before the thread comes to it are one call.
napi_threadsafe_function make_bell(napi_env env, const char* name, void* context,
                                   napi_threadsafe_function_call_js call) {
  napi_value resource;
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource);
  napi_threadsafe_function bell = nullptr;
  napi_create_threadsafe_function(env, nullptr, nullptr, resource, 1, 1, nullptr, nullptr, context,
                                  call, &bell);
  return bell;
}

void ring_bell(void* bell) {
  napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(bell), nullptr,
                                napi_tsfn_nonblocking);
}

// announce(id, callback): callback() on this thread when there are connections to take.
Napi::Value on_announced(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  SharedServer* server = owned(info);
  if (server == nullptr) return info.Env().Undefined();
  auto announcer = std::make_unique<Announcer>();
  announcer->server = env.owned[u32(info[0])];
  announcer->env = info.Env();
  napi_value resource;
  napi_create_string_utf8(info.Env(), "millrace.server", NAPI_AUTO_LENGTH, &resource);
  napi_create_threadsafe_function(info.Env(), info[1], nullptr, resource, 1, 1, nullptr, nullptr,
                                  nullptr, nullptr, &announcer->bell);
  server->pipeline.accepted_bell.attach(&ring_bell, announcer->bell);
  napi_add_env_cleanup_hook(info.Env(), &end_announcer, announcer.get());
  env.announcers[u32(info[0])] = std::move(announcer);
  return info.Env().Undefined();
}

Napi::Value set_referenced(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  const auto found = env.announcers.find(u32(info[0]));
  if (found == env.announcers.end()) return info.Env().Undefined();
  if (info[1].As<Napi::Boolean>().Value()) {
    napi_ref_threadsafe_function(info.Env(), found->second->bell);
  } else {
    napi_unref_threadsafe_function(info.Env(), found->second->bell);
  }
  return info.Env().Undefined();
}

// --- Workers --------------------------------------------------------------------------------------

constexpr int kBatchesATurn = 16;

// Runs batches until there is nothing, or JavaScript is due a turn of its loop.
void drain(Attachment& a) {
  Consumer& consumer = *a.consumer;
  const napi_env env = a.env;
  napi_value global;
  napi_value on_batch;
  napi_get_global(env, &global);
  napi_get_reference_value(env, a.on_batch, &on_batch);
  for (int round = 0; round < kBatchesATurn; ++round) {
    std::uint64_t first = 0;
    const std::uint32_t count = consumer.begin_batch(first);
    if (count == 0) {
      if (consumer.try_sleep()) return;
      continue;
    }
    napi_value arguments[2];
    napi_create_uint32(env, static_cast<std::uint32_t>(first), &arguments[0]);
    napi_create_uint32(env, count, &arguments[1]);
    if (napi_call_function(env, global, on_batch, 2, arguments, nullptr) == napi_ok) {
      if (!consumer.attached()) return;  // a handler closed the server
      consumer.end_batch();
      continue;
    }
    // The thread is being terminated: the batch stays as it stands, for detach() to settle.
    if (!consumer.attached() || consumer.inbox().control(kControlState) != 0) return;
    consumer.end_batch();
    napi_value error;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_value on_busy;
  napi_get_reference_value(env, a.on_busy, &on_busy);
  napi_call_function(env, global, on_busy, 0, nullptr, nullptr);
}

// Takes the thread's hands off the server. The doorbell goes first: after detach() no native thread
// is in, or will come into, the thread-safe function.
void let_go(Attachment& a) {
  if (a.consumer) {
    a.consumer->inbox().doorbell().detach();
    a.consumer->detach(a.end_reason);
  }
  if (a.publisher) a.publisher->close();
  if (a.bell != nullptr) {
    napi_release_threadsafe_function(a.bell, napi_tsfn_abort);
    a.bell = nullptr;
  }
}

void end_attachment(void* data) {
  Attachment& a = *static_cast<Attachment*>(data);
  if (a.consumer) {
    a.end_reason = a.consumer->inbox().end_reason.load(std::memory_order_relaxed);
  }
  let_go(a);
}

// attach(serverId, nonce, worker, onBatch, onBusy): undefined when the server is gone, null when
// another consumer is attached or memory is short.
Napi::Value attach(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  auto server = SharedServer::find(u32(info[0]), u32(info[1]));
  if (server == nullptr) return info.Env().Undefined();
  const std::uint32_t worker = u32(info[2]);
  auto a = std::make_unique<Attachment>(server);
  a->env = info.Env();
  a->consumer = std::make_unique<Consumer>(server->pipeline.core, worker);
  if (!a->consumer->attach()) return info.Env().Null();
  napi_create_reference(a->env, info[3], 1, &a->on_batch);
  napi_create_reference(a->env, info[4], 1, &a->on_busy);
  a->bell = make_bell(a->env, "millrace.worker", a.get(),
                      [](napi_env called, napi_value, void* context, void*) {
                        if (called != nullptr) drain(*static_cast<Attachment*>(context));
                      });
  // What keeps the thread alive is the server's own function, or the worker's port to its server.
  napi_unref_threadsafe_function(a->env, a->bell);
  // After the function was made: hooks run last in, first out.
  napi_add_env_cleanup_hook(a->env, &end_attachment, a.get());
  a->hooked = true;
  Inbox& inbox = a->consumer->inbox();
  const std::uint32_t id = ++env.last_attachment;
  Napi::Object out =
      views(info.Env(), *a, id, inbox.memory(), Inbox::bytes(server->pipeline.core.options.inbox_capacity));
  Napi::Array open = Napi::Array::New(info.Env());
  a->consumer->for_each_open([&](const Connection& c) {
    open.Set(open.Length(), Napi::Number::New(info.Env(), c.key.fd));
    open.Set(open.Length(), Napi::Number::New(info.Env(), c.key.sequence));
  });
  out.Set("open", open);
  env.attachments.emplace(id, std::move(a));
  return out;
}

// begin(attachment): messages may come from now on.
Napi::Value begin(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->consumer->inbox().doorbell().attach(&ring_bell, a->bell);
  ring_bell(a->bell);
  return info.Env().Undefined();
}

Napi::Value publisher(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  auto server = SharedServer::find(u32(info[0]), u32(info[1]));
  if (server == nullptr) return info.Env().Undefined();
  auto a = std::make_unique<Attachment>(server);
  a->env = info.Env();
  const std::size_t words =
      kControlWords + kOperationListCapacity * (sizeof(OutboundOperation) / sizeof(std::uint32_t));
  a->publisher_memory.reset(new std::uint32_t[words]());
  a->publisher = std::make_unique<Outbound>(server->pipeline.core);
  std::uint32_t* memory = a->publisher_memory.get();
  if (!a->publisher->open(memory, reinterpret_cast<OutboundOperation*>(memory + kControlWords))) {
    return info.Env().Null();
  }
  napi_add_env_cleanup_hook(a->env, &end_attachment, a.get());
  a->hooked = true;
  const std::uint32_t id = ++env.last_attachment;
  Napi::Object out = views(info.Env(), *a, id, memory, words * sizeof(std::uint32_t));
  env.attachments.emplace(id, std::move(a));
  return out;
}

Napi::Value drain_now(const Napi::CallbackInfo& info) {
  if (Attachment* a = attached(info)) drain(*a);
  return info.Env().Undefined();
}

// detach(attachment, bridge, arena, sent): this thread's views become empty, its hold ends.
Napi::Value detach(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->end_reason = CloseReason::kServer;
  let_go(*a);
  for (std::size_t i = 1; i < info.Length(); ++i) napi_detach_arraybuffer(info.Env(), info[i]);
  if (a->hooked) napi_remove_env_cleanup_hook(a->env, &end_attachment, a);
  if (a->on_batch != nullptr) napi_delete_reference(a->env, a->on_batch);
  if (a->on_busy != nullptr) napi_delete_reference(a->env, a->on_busy);
  env.attachments.erase(u32(info[0]));
  return info.Env().Undefined();
}

Napi::Value flush(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  if (a->consumer) {
    a->consumer->flush();
  } else {
    a->publisher->flush();
  }
  return info.Env().Undefined();
}

// Hands over what there is and gives an empty output block.
Napi::Value next_block(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  a->outbound().flush();
  a->outbound().take_block();
  return info.Env().Undefined();
}

Napi::Value park(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr || !a->consumer) return number(info, Consumer::kNoHandle);
  Inbox& inbox = a->consumer->inbox();
  // The position came as 32 bits of the 64.
  const std::uint64_t base = inbox.read_position();
  const std::uint64_t position = base + (u32(info[1]) - static_cast<std::uint32_t>(base));
  std::uint32_t offset = 0;
  std::uint32_t parts = 0;
  const std::uint32_t handle = a->consumer->park(position, offset, parts);
  inbox.memory()[kControlResultA] = offset;
  inbox.memory()[kControlResultB] = parts;
  return number(info, handle);
}

Napi::Value parked_block(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  return number(info, a == nullptr ? kNoBlock : a->consumer->parked_block(u32(info[1])));
}

Napi::Value unpark(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a != nullptr && a->consumer) a->consumer->unpark(u32(info[1]));
  return info.Env().Undefined();
}

// --- Connections ----------------------------------------------------------------------------------

// setPaused(attachment, fd, sequence, bit, on)
Napi::Value set_paused(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  const auto bit = static_cast<PauseBit>(u32(info[3]));
  const bool on = info[4].As<Napi::Boolean>().Value();
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    if (on) {
      a->core().pause(c, bit);
    } else {
      a->core().resume(c, bit);
    }
  });
  return info.Env().Undefined();
}

Napi::Value set_idle_timeout(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return info.Env().Undefined();
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    c.idle_timeout_ms.store(u32(info[3]), std::memory_order_relaxed);
    c.touch(coarse_ms());
    CloseReason reason = CloseReason::kNone;
    const std::uint64_t deadline = next_deadline(a->core().options, c, reason);
    if (!a->core().table.closing(c)) a->core().timers.arm(c, deadline);
  });
  return info.Env().Undefined();
}

Napi::Value connection_info(Napi::Env env, const Connection& c, std::uint64_t now_ms) {
  Napi::Array row = Napi::Array::New(env, 10);
  const auto set = [&](std::uint32_t i, double value) { row.Set(i, Napi::Number::New(env, value)); };
  set(0, c.key.fd);
  set(1, c.key.sequence);
  if (c.family == AF_INET || c.family == AF_INET6) {
    char ip[INET6_ADDRSTRLEN] = {};
    ::inet_ntop(c.family, c.peer_ip, ip, sizeof ip);
    row.Set(2u, Napi::String::New(env, ip));
  }
  set(3, c.peer_port);
  set(4, static_cast<double>(c.bytes_read.load(std::memory_order_relaxed)));
  set(5, static_cast<double>(c.bytes_written.load(std::memory_order_relaxed)));
  set(6, c.backlog_bytes.load(std::memory_order_relaxed));
  set(7, static_cast<double>(wall_ms()) - static_cast<double>(now_ms - c.opened_ms));
  const std::uint64_t active = c.activity_ms.load(std::memory_order_relaxed);
  set(8, active > now_ms ? 0 : static_cast<double>(now_ms - active));
  set(9, c.family);
  return row;
}

// info(attachment, fd, sequence)
Napi::Value info_of(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  Napi::Value row = info.Env().Undefined();
  if (a == nullptr) return row;
  with(a->core(), key_at(info, 1),
       [&](Connection& c) { row = connection_info(info.Env(), c, coarse_ms()); });
  return row;
}

// connections(server): a row each. announced(server): those that were accepted since the last call.
Napi::Value connections(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  SharedServer* server = owned(info);
  if (server == nullptr) return rows;
  const std::uint64_t now = coarse_ms();
  server->pipeline.for_each([&](Connection& c) {
    rows.Set(rows.Length(), connection_info(info.Env(), c, now));
  });
  return rows;
}

Napi::Value announced(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  SharedServer* server = owned(info);
  if (server == nullptr) return rows;
  ConnectionKey key;
  while (rows.Length() < 256 && server->next_announced(key)) {
    with(server->pipeline.core, key, [&](Connection& c) {
      rows.Set(rows.Length(), connection_info(info.Env(), c, coarse_ms()));
    });
  }
  return rows;
}

// subscribe(attachment, fd, sequence, topic, pattern): 0 added (ticket in the scratch words),
// 1 already, 2 full, 3 the connection is gone.
Napi::Value subscribe(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  double outcome = 3;
  if (a == nullptr || !a->consumer) return number(info, outcome);
  with(a->core(), key_at(info, 1), [&](Connection& c) {
    TopicTable::Ticket ticket;
    outcome = static_cast<double>(a->core().topics.subscribe(
        c, bytes_of(info[3]), info[4].As<Napi::Boolean>().Value(), ticket));
    a->consumer->inbox().memory()[kControlResultA] = ticket.index;
    a->consumer->inbox().memory()[kControlResultB] = ticket.generation;
  });
  return number(info, outcome);
}

Napi::Value unsubscribe(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  bool removed = false;
  if (a != nullptr) {
    with(a->core(), key_at(info, 1), [&](Connection& c) {
      removed =
          a->core().topics.unsubscribe(c, bytes_of(info[3]), info[4].As<Napi::Boolean>().Value());
    });
  }
  return Napi::Boolean::New(info.Env(), removed);
}

// subscribers(attachment, exceptFd, exceptSequence, topic)
Napi::Value subscribers(const Napi::CallbackInfo& info) {
  Attachment* a = attached(info);
  if (a == nullptr) return number(info, 0);
  return number(info, a->core().topics.count(bytes_of(info[3]), key_at(info, 1)));
}

// --- Figures --------------------------------------------------------------------------------------

// stats(server, into): in the order of native.ts's StatsField.
Napi::Value stats(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return Napi::Boolean::New(info.Env(), false);
  PipelineCore& core = server->pipeline.core;
  const PipelineCounters& n = core.counters;
  auto out = info[1].As<Napi::Float64Array>();
  std::size_t i = 0;
  const auto put = [&](auto value) { out[i++] = static_cast<double>(value); };
  const auto get = [&](const PipelineCounters::Counter& counter) {
    put(counter.load(std::memory_order_relaxed));
  };
  put(core.table.open_count());
  get(n.accepted);
  for (const auto& counter : n.rejected) get(counter);
  for (const auto& counter : n.closed) get(counter);
  get(n.bytes_read);
  get(n.bytes_written);
  get(n.operations_stale);
  get(n.published_offered);
  get(n.published_delivered);
  get(n.published_conflated);
  get(n.published_oldest);
  get(n.published_slow);
  get(n.published_closed);
  get(n.published_memory);
  get(n.published_in_flight);
  get(n.read_paused_ns);
  put(core.receive_queue.capacity());
  put(core.receive_queue.depth());
  put(core.receive_queue.high_water());
  put(core.receive_queue.passed());
  std::uint64_t depth = 0, high_water = 0, passed = 0, used = 0;
  for (Outbox& outbox : core.outboxes) {
    depth += outbox.depth();
    high_water = std::max<std::uint64_t>(high_water, outbox.high_water());
    passed += outbox.passed();
    used += outbox.used.load(std::memory_order_relaxed) ? 1 : 0;
  }
  put(used * Outbox::kRing);
  put(depth);
  put(high_water);
  put(passed);
  const SlabStats slab = core.store.slab().stats();
  put(slab.in_use_bytes);
  put(slab.committed_bytes);
  put(core.store.exhausted());
  put(core.memory_short.load(std::memory_order_relaxed) ? 1 : 0);
  put(server->unannounced());
  return Napi::Boolean::New(info.Env(), true);
}

// worker(server, index, into): received, handled, failed, dropped, in flight, capacity, depth, high
// water, passed, running ms, attached, running position.
Napi::Value worker_stats(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  if (server == nullptr) return Napi::Boolean::New(info.Env(), false);
  Inbox& inbox = *server->pipeline.core.inboxes[u32(info[1])];
  auto out = info[2].As<Napi::Float64Array>();
  const MessageLedger ledger = inbox.ledger();
  const std::int64_t since = inbox.batch.since_ns.load(std::memory_order_relaxed);
  const double values[] = {
      static_cast<double>(ledger.received),
      static_cast<double>(ledger.handled),
      static_cast<double>(ledger.failed),
      static_cast<double>(ledger.dropped),
      static_cast<double>(ledger.in_flight),
      static_cast<double>(inbox.capacity()),
      static_cast<double>(inbox.depth()),
      static_cast<double>(inbox.high_water()),
      static_cast<double>(inbox.passed()),
      since == 0 ? 0 : static_cast<double>(monotonic_ns() - since) / 1e6,
      inbox.consumed.load(std::memory_order_acquire) ? 1.0 : 0.0,
      static_cast<double>(inbox.control(kControlRunning)),
  };
  for (std::size_t i = 0; i < std::size(values); ++i) out[i] = values[i];
  return Napi::Boolean::New(info.Env(), true);
}

// runningConnection(server, worker): the row of the connection whose message a stuck worker is on.
Napi::Value running_connection(const Napi::CallbackInfo& info) {
  SharedServer* server = owned(info);
  Napi::Value row = info.Env().Undefined();
  if (server == nullptr) return row;
  Inbox& inbox = *server->pipeline.core.inboxes[u32(info[1])];
  ConnectionKey key;
  if (!inbox.running_key(key)) return row;
  with(server->pipeline.core, key,
       [&](Connection& c) { row = connection_info(info.Env(), c, coarse_ms()); });
  return row;
}

// setEndReason(server, worker, reason): why the connections close that a dying worker loses.
Napi::Value set_end_reason(const Napi::CallbackInfo& info) {
  if (SharedServer* server = owned(info)) {
    server->pipeline.core.inboxes[u32(info[1])]->end_reason.store(
        static_cast<CloseReason>(u32(info[2])), std::memory_order_relaxed);
  }
  return info.Env().Undefined();
}

Napi::Object layout(Napi::Env env) {
  Napi::Object out = Napi::Object::New(env);
  const auto set = [&](const char* name, double value) { out.Set(name, value); };
  set("controlWords", kControlWords);
  set("operationList", kOperationListCapacity);
  set("descriptorBytes", sizeof(InboundDescriptor));
  set("operationBytes", sizeof(OutboundOperation));
  set("publishHeaderBytes", sizeof(PublishHeader));
  set("inReopen", kInReopen);
  set("inExactEcho", kInExactEcho);
  set("outActivate", kOutActivate);
  set("outWantsDrain", kOutWantsDrain);
  set("opCountWord", kControlOpCount);
  set("frameIncomplete", kFrameIncomplete);
  set("closeReasons", kCloseReasons);
  set("rejectReasons", kRejectReasons);
  set("outBlockBytes", Outbox::kOutBlockBytes);
  return out;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  // A worker that ends without letting go is let go by its attachments' own hooks, which run before
  // this data is freed.
  env.SetInstanceData(new Environment());
  using Function = Napi::Value (*)(const Napi::CallbackInfo&);
  const std::pair<const char*, Function> functions[] = {
      {"memoryPlan", memory_plan},
      {"create", create},
      {"token", token},
      {"lastSyscall", last_syscall},
      {"listen", listen},
      {"localAddress", local_address_of},
      {"control", control},
      {"destroy", destroy},
      {"onAnnounced", on_announced},
      {"setReferenced", set_referenced},
      {"attach", attach},
      {"begin", begin},
      {"publisher", publisher},
      {"drain", drain_now},
      {"detach", detach},
      {"flush", flush},
      {"nextBlock", next_block},
      {"park", park},
      {"parkedBlock", parked_block},
      {"unpark", unpark},
      {"setPaused", set_paused},
      {"setIdleTimeout", set_idle_timeout},
      {"info", info_of},
      {"connections", connections},
      {"announced", announced},
      {"subscribe", subscribe},
      {"unsubscribe", unsubscribe},
      {"subscribers", subscribers},
      {"stats", stats},
      {"worker", worker_stats},
      {"runningConnection", running_connection},
      {"setEndReason", set_end_reason},
  };
  for (const auto& [name, function] : functions) {
    exports.Set(name, Napi::Function::New(env, function, name));
  }
  exports.Set("layout", layout(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(millrace_server, init)
