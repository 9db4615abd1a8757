// SPDX-License-Identifier: LGPL-2.1-or-later
// What tests of elements and pipelines share.
#pragma once

#include "common/gst_ref.h"

#include <gst/gst.h>

#include <memory>
#include <string>
#include <vector>

namespace jkvm::testing {

struct PostedError {
    GQuark domain = 0;
    int code = -1;
    std::string text;  ///< the sentence for the user
    std::string debug; ///< the text for developers
};

struct FreeStructure {
    void operator()(GstStructure *structure) const { gst_structure_free(structure); }
};
using StructurePtr = std::unique_ptr<GstStructure, FreeStructure>;

/// The element's property `stats`.
StructurePtr stats_of(GstElement *element);
/// A counter in it, or a time in nanoseconds; fails the test when there is none of that name.
guint64 stat(GstElement *element, const char *field);

/// A pipeline of at least two elements, with its bus. Ends in NULL at the end of its life.
class Pipeline {
public:
    /// Fails the test when the description cannot be parsed.
    explicit Pipeline(const std::string &description);
    Pipeline(const Pipeline &) = delete;
    Pipeline &operator=(const Pipeline &) = delete;
    ~Pipeline();

    GstStateChangeReturn set_state(GstState state);
    void play() { set_state(GST_STATE_PLAYING); }
    /// The element called `name`; borrowed.
    GstElement *element(const std::string &name);
    [[nodiscard]] GstElement *get() const { return pipeline_.get(); }

    /// The next message of one of the types; messages of other types are passed over. Empty when
    /// none comes in time.
    GstRef<GstMessage> wait_for(GstMessageType types);
    /// The next element message whose structure has the name, with the reason if that is given.
    GstRef<GstMessage> wait_for_element_message(const std::string &name,
                                                const std::string &reason = {});
    /// The next error. Fails the test when there is none, and when a second one waits behind it.
    PostedError wait_for_error();
    /// Fails the test on an error message, and when it takes too long.
    void wait_for_eos();

private:
    GstRef<GstElement> pipeline_;
    GstRef<GstBus> bus_;
    std::vector<GstRef<GstElement>> elements_;
};

/// Descriptors that this process has open.
std::size_t open_descriptors();

} // namespace jkvm::testing
