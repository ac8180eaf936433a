#pragma once

#include <napi.h>
#include <node_api.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "millrace/server/consumer.h"
#include "millrace/server/shared_server.h"

// What one JavaScript thread holds of servers, and how the addon's functions find it. Part of
// binding.cc.

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

}  // namespace
