#pragma once

#include <node_api.h>

#include <cstddef>

// The part of libuv that this addon needs. uv.h comes with Node's own headers only, and this addon
// is also built where there are none: types stay opaque, their size is asked for, and the numbers
// are of libuv's stable ABI.
extern "C" {
struct uv_handle_s;
struct uv_poll_s;

std::size_t uv_handle_size(int type);
void uv_handle_set_data(uv_handle_s* handle, void* data);
void* uv_handle_get_data(const uv_handle_s* handle);
void uv_ref(uv_handle_s* handle);
void uv_unref(uv_handle_s* handle);
void uv_close(uv_handle_s* handle, void (*closed)(uv_handle_s* handle));
int uv_poll_init(uv_loop_s* loop, uv_poll_s* handle, int fd);
int uv_poll_start(uv_poll_s* handle, int events,
                  void (*ready)(uv_poll_s* handle, int status, int events));
int uv_poll_stop(uv_poll_s* handle);
}

inline constexpr int kUvPoll = 8;      // UV_POLL of uv_handle_type
inline constexpr int kUvReadable = 1;  // UV_READABLE of uv_poll_event
