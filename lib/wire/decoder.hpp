#pragma once

#include <dynconf/error.hpp>
#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include "wire/classify.hpp"
#include "wire/messages.hpp"

#include <cstddef>
#include <memory>
#include <string_view>

namespace dynconf::wire {

/// Decodes one JSON message as its bytes arrive, cut anywhere, straight into `Message`: no DOM, no copy of the body.
/// Missing fields are zero, unknown ones are skipped, field order does not matter. Nesting is limited.
///
/// Message: range_response, put_response, delete_response, txn_response, status_response, and those of messages.hpp.
/// An error body (`code`, `error` as text or object, on any status) makes `finish` fail with the classified error.
template <class Message>
class decoder {
public:
    enum class envelope { none, result };   ///< `result`: stream lines, {"result":{...}} or {"error":{...}}

    /// `most`: bytes that the elements of arrays may take, beside their texts, which need not be as small as they: empty ones are
    /// forty times their JSON. Past it the message is errc::response_too_large.
    explicit decoder(envelope = envelope::none, std::size_t most = static_cast<std::size_t>(-1));
    ~decoder();
    decoder(decoder&&) noexcept;
    decoder& operator=(decoder&&) noexcept;

    /// False once the input cannot be a message; `finish` says why. Bytes after the first JSON value are ignored.
    bool write(std::string_view piece);
    /// The message, and ready for the next one.
    result<Message> finish();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::wire
