#pragma once

#include "wire/decoder.hpp"
#include "wire/message_reader.hpp"

#include <utility>

// The bodies of `decoder`, for the files that instantiate it. Each gives the shape of its messages.

namespace dynconf::wire {

template <class Message> const shape& shape_of();

template <class Message>
struct decoder<Message>::impl {
    impl(bool enveloped, std::size_t most) : reader(shape_of<Message>(), &message, enveloped, most) {}

    Message message;
    message_reader reader;
};

template <class Message>
decoder<Message>::decoder(envelope e, std::size_t most) : impl_(std::make_unique<impl>(e == envelope::result, most)) {}

template <class Message> decoder<Message>::~decoder() = default;
template <class Message> decoder<Message>::decoder(decoder&&) noexcept = default;
template <class Message> decoder<Message>& decoder<Message>::operator=(decoder&&) noexcept = default;

template <class Message>
bool decoder<Message>::write(std::string_view piece) {
    return impl_->reader.write(piece);
}

template <class Message>
result<Message> decoder<Message>::finish() {
    auto failed = impl_->reader.finish();
    Message message = std::exchange(impl_->message, Message{});
    if (failed) return std::move(*failed);
    return message;
}

}  // namespace dynconf::wire
