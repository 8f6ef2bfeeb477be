#pragma once

#include <dynconf/types.hpp>

#include "etcd/client_core.hpp"

namespace dynconf::etcd {

/// All of a range in pages at one revision: `options.revision`, or the one of the first page. That is the header's.
asio::awaitable<result<range_response>> range_pages(client_core& core, key_range keys, range_options options);

/// One request.
asio::awaitable<result<range_response>> range_once(client_core& core, const key_range& keys, const range_options& options);

}  // namespace dynconf::etcd
