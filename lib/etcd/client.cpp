#include <dynconf/client.hpp>

#include "etcd/client_core.hpp"

#include <utility>

namespace dynconf {

client::client(executor_type executor, client_options options)
    : executor_(std::move(executor)), core_(etcd::client_core::make(executor_, std::move(options))) {}

client::executor_type client::get_executor() const noexcept { return executor_; }

}  // namespace dynconf
