#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "environment.h"
#include "values.h"

// The calls about a slab. Part of binding.cc.

namespace {

using namespace millrace;

Status status_of(FreeResult result) {
  switch (result) {
    case FreeResult::kOk:
      return Status::kOk;
    case FreeResult::kForeign:
      return Status::kForeign;
    case FreeResult::kDoubleFree:
      return Status::kDoubleFree;
    case FreeResult::kOverrun:
      break;
  }
  return Status::kOverrun;
}

// bytes -> offset, or kNoBlock and a status.
napi_value allocate(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  Registers& r = call.registers();
  r.offset = kNoBlock;
  if (!call.open()) return nullptr;
  const SlabHandle& handle = call.handle();
  const auto take = [&] {
    return (r.offset = call.slab().allocate(r.bytes, handle.owner())) != kNoBlock;
  };
  if (!handle.cache()->take(call.slab(), take)) call.answer(Status::kExhausted);
  return nullptr;
}

// offset -> status
napi_value free_block(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.answer(status_of(call.slab().free(call.registers().offset)));
  return nullptr;
}

// (out: Uint32Array), bytes -> offset: how many
napi_value allocate_many(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call.open()) return nullptr;
  Registers& r = call.registers();
  const std::span<std::uint32_t> out = call.elements<std::uint32_t>(0);
  std::size_t count = 0;
  call.handle().cache()->take(call.slab(), [&] {
    count += call.slab().allocate_many(r.bytes, out.subspan(count), call.handle().owner());
    return count == out.size();
  });
  r.offset = static_cast<std::uint32_t>(count);
  call.answer(Status::kOk);
  return nullptr;
}

// (offsets: Uint32Array) -> status and offset: where the first wrong one stands
napi_value free_many(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call.open()) return nullptr;
  const auto refused = call.slab().free_many(call.elements<std::uint32_t>(0));
  call.registers().offset = static_cast<std::uint32_t>(refused.index);
  call.answer(status_of(refused.result));
  return nullptr;
}

// (mine: number), offset -> status
napi_value set_owner(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call.open()) return nullptr;
  const SlabOwner owner = call.number(0) != 0 ? call.handle().owner() : kNobody;
  const bool live = call.slab().set_owner(call.registers().offset, owner);
  call.answer(live ? Status::kOk : Status::kForeign);
  return nullptr;
}

// bytes -> bytes: size of the block that a request would get
napi_value block_bytes(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.registers().length = static_cast<double>(call.slab().class_bytes(call.registers().bytes));
  call.answer(Status::kOk);
  return nullptr;
}

// Bytes given back: all that can be, or what was not needed lately.
napi_value trim(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.answer(Status::kOk);
  call.handle().cache()->flush(call.slab());
  return number_of(env, static_cast<double>(call.slab().trim()));
}
napi_value decay(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.answer(Status::kOk);
  return number_of(env, static_cast<double>(call.slab().decay()));
}

// All of the arena, as this thread's ArrayBuffer.
napi_value memory(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.answer(Status::kOk);
  const std::shared_ptr<SlabAllocator>& slab = call.handle().shared().memory();
  return array_buffer(env, slab->data(), slab->max_bytes(),
                      new KeptPointer<SlabAllocator>(call.at().keeper, slab));
}

// What a thread needs to take blocks from its cache, and to put them there, by itself:
// { cache, metadata: ArrayBuffers; units, slack, pageClass: where in metadata they lie; pages: how
// many; live: the mark of its blocks; sizes, limits: of each class }
napi_value inside(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  call.answer(Status::kOk);
  SlabHandle& handle = call.handle();
  const std::shared_ptr<SlabAllocator>& slab = handle.shared().memory();
  const SlabMetadata& metadata = slab->metadata();
  Keeper& keeper = call.at().keeper;
  const auto place = [&](const void* part) {
    return static_cast<double>(static_cast<const std::byte*>(part) - metadata.base());
  };
  napi_value answer;
  napi_value sizes;
  napi_value limits;
  napi_create_object(env, &answer);
  napi_create_array(env, &sizes);
  napi_create_array(env, &limits);
  for (std::uint32_t i = 0; i < slab->classes().count(); ++i) {
    napi_set_element(env, sizes, i, number_of(env, slab->classes().block_bytes(i)));
    napi_set_element(env, limits, i, number_of(env, ScriptCache::limit(*slab, i)));
  }
  napi_set_named_property(env, answer, "sizes", sizes);
  napi_set_named_property(env, answer, "limits", limits);
  napi_value cache = array_buffer(env, handle.cache().get(), sizeof(ScriptCache),
                                  new KeptPointer<ScriptCache>(keeper, handle.cache()));
  napi_value about = array_buffer(env, metadata.base(), metadata.bytes(),
                                  new KeptPointer<SlabAllocator>(keeper, slab));
  if (cache == nullptr || about == nullptr) return nullptr;
  napi_set_named_property(env, answer, "cache", cache);
  napi_set_named_property(env, answer, "metadata", about);
  set_number(env, answer, "units", place(metadata.units));
  set_number(env, answer, "slack", place(metadata.slack));
  set_number(env, answer, "pageClass", place(metadata.page_class));
  set_number(env, answer, "pages", static_cast<double>(slab->max_bytes() >> SlabPage::kShift));
  set_number(env, answer, "live", SlabMetadata::kLive | handle.owner());
  return answer;
}

// bytes -> an ArrayBuffer over a block, whose finalizer frees it
napi_value allocate_buffer(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  const std::size_t bytes = call.registers().bytes;
  std::uint32_t block = kNoBlock;
  call.handle().cache()->take(call.slab(),
                              [&] { return (block = call.slab().allocate(bytes)) != kNoBlock; });
  call.answer(block == kNoBlock ? Status::kExhausted : Status::kOk);
  if (block == kNoBlock) return nullptr;
  const std::shared_ptr<SlabAllocator>& slab = call.handle().shared().memory();
  Environment& at = call.at();
  return array_buffer(env, slab->data(block), bytes,
                      new BlockBuffers::Hold(at.keeper, at.buffers, slab, block));
}

// (buffer: ArrayBuffer): detaches it and frees its block
napi_value free_buffer(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  if (!call.open()) return nullptr;
  void* data = nullptr;
  std::size_t bytes = 0;
  napi_get_arraybuffer_info(env, call.argument(0), &data, &bytes);
  const std::uint32_t block = call.at().buffers.take(call.slab(), data);
  call.answer(block == kNoBlock ? Status::kForeign : Status::kOk);
  if (block == kNoBlock) return nullptr;
  napi_detach_arraybuffer(env, call.argument(0));
  call.slab().free(block);
  return nullptr;
}

napi_value stats(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  const SlabStats stats = call.handle().shared().stats();
  napi_value answer;
  napi_create_object(env, &answer);
  set_number(env, answer, "maxBytes", static_cast<double>(stats.max_bytes));
  set_number(env, answer, "reservedBytes", static_cast<double>(stats.reserved_bytes));
  set_number(env, answer, "committedBytes", static_cast<double>(stats.committed_bytes));
  set_number(env, answer, "inUseBytes", static_cast<double>(stats.in_use_bytes));
  set_number(env, answer, "requestedBytes", static_cast<double>(stats.requested_bytes));
  set_number(env, answer, "allocations", static_cast<double>(stats.allocations));
  set_number(env, answer, "frees", static_cast<double>(stats.frees));
  set_number(env, answer, "exhausted", static_cast<double>(stats.exhausted));
  napi_value classes;
  napi_create_array_with_length(env, stats.class_count, &classes);
  for (std::uint32_t i = 0; i < stats.class_count; ++i) {
    napi_value row;
    napi_create_object(env, &row);
    set_number(env, row, "blockBytes", stats.classes[i].block_bytes);
    set_number(env, row, "blocks", static_cast<double>(stats.classes[i].blocks));
    set_number(env, row, "inUse", static_cast<double>(stats.classes[i].in_use));
    napi_set_element(env, classes, i, row);
  }
  napi_set_named_property(env, answer, "classes", classes);
  call.answer(Status::kOk);
  return answer;
}

napi_value hold(const Environment& at, napi_env env) {
  return number_of(env, static_cast<double>(at.slabs.size() - 1));
}

// (most bytes, smallest block, largest block, growth): a handle, or an error's negative number
napi_value open(napi_env env, napi_callback_info info) {
  const Call<4> call(env, info);
  SlabOptions options;
  options.max_bytes = static_cast<std::size_t>(call.number(0));
  options.min_block_bytes = static_cast<std::uint32_t>(call.number(1));
  options.max_block_bytes = static_cast<std::uint32_t>(call.number(2));
  options.growth = call.number(3);
  options.track_owners = true;
  SystemError error;
  std::shared_ptr<SharedSlab> slab = SharedSlab::open(options, error);
  if (slab == nullptr) return number_of(env, -error.code);
  call.at().slabs.emplace_back(std::move(slab));
  return hold(call.at(), env);
}

// (id, nonce): a handle, or -1: no such slab lives
napi_value attach(napi_env env, napi_callback_info info) {
  const Call<2> call(env, info);
  std::shared_ptr<SharedSlab> slab = SharedSlab::find(
      {static_cast<std::uint32_t>(call.number(0)), static_cast<std::uint64_t>(call.number(1))});
  if (slab == nullptr) return number_of(env, -1);
  call.at().slabs.emplace_back(std::move(slab));
  return hold(call.at(), env);
}

napi_value share(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  if (!call.open()) return nullptr;
  const SharedToken token = call.handle().shared().token();
  napi_value answer;
  napi_create_object(env, &answer);
  set_number(env, answer, "id", token.id);
  set_number(env, answer, "nonce", static_cast<double>(token.nonce));
  call.answer(Status::kOk);
  return answer;
}

// (handle)
napi_value close(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  const auto handle = static_cast<std::size_t>(call.number(0));
  if (handle < call.at().slabs.size()) call.at().slabs[handle].close();
  return nullptr;
}

// (buffer: ArrayBuffer)
napi_value detach_view(napi_env env, napi_callback_info info) {
  const Call<1> call(env, info);
  napi_detach_arraybuffer(env, call.argument(0));
  return nullptr;
}

}  // namespace
