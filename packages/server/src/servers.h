#pragma once

#include <napi.h>
#include <node_api.h>

#include <cstring>
#include <memory>
#include <string>

#include "doorbells.h"
#include "environment.h"
#include "millrace/server/memory_plan.h"

// The functions of the thread that made a server: its life from memory plan to end. Part of
// binding.cc.

namespace {

using namespace millrace;

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
  const std::uint32_t id = server->token().id;
  environment(info).owned.emplace(id, std::move(server));
  return number(info, id);
}

Napi::Value token(const Napi::CallbackInfo& info) {
  const SharedServer* server = owned(info);
  if (server == nullptr) return info.Env().Undefined();
  return number(info, static_cast<double>(server->token().nonce));
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
      [](void* context, ConnectionKey key) {
        static_cast<SharedServer*>(context)->on_accepted(key);
      },
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

// announce(id, callback): callback() on this thread when there are connections to take.
Napi::Value on_announced(const Napi::CallbackInfo& info) {
  Environment& env = environment(info);
  SharedServer* server = owned(info);
  if (server == nullptr) return info.Env().Undefined();
  auto announcer = std::make_unique<Announcer>();
  announcer->server = env.owned[u32(info[0])];
  announcer->env = info.Env();
  napi_value resource = nullptr;
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

}  // namespace
