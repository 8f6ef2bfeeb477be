#pragma once

#include <dynconf/error.hpp>

#include "wire/classify.hpp"
#include "wire/json_shape.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dynconf::wire {

/// Reads JSON, cut anywhere, into the members that a shape names. One engine for all messages: it knows nothing of
/// their types. Members of an error body are recognised at the top of every message.
class message_reader {
public:
    /// Fills `*target`, which must stay where it is. `enveloped`: the message is the member "result" of a line. `most`: bytes
    /// that the elements of its arrays may take, beside their texts.
    message_reader(const shape& message, void* target, bool enveloped, std::size_t most = static_cast<std::size_t>(-1));
    ~message_reader();
    message_reader(const message_reader&) = delete;
    message_reader& operator=(const message_reader&) = delete;

    /// False once the input cannot be a message.
    bool write(std::string_view piece);
    /// Why the input was no message, if it was none; and ready for the next one.
    std::optional<error> finish();
    /// What the input said of an error so far.
    std::optional<server_fault> fault() const;
    /// The member "message", which alone is no error.
    const std::string& message() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::wire
