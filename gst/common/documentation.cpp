// SPDX-License-Identifier: LGPL-2.1-or-later
#include "common/documentation.h"

#include <string>
#include <string_view>

namespace jkvm {

void set_documentation_uri(GstElementClass *klass)
{
    constexpr std::string_view prefix = "Gst";
    std::string name = G_OBJECT_CLASS_NAME(klass);
    if (name.starts_with(prefix))
        name.erase(0, prefix.size());
    for (char &letter : name)
        letter = g_ascii_tolower(letter);
    const auto uri = "file://" JKVM_DOCUMENTATION_DIR "/" + name + ".md";
    gst_element_class_add_metadata(klass, GST_ELEMENT_METADATA_DOC_URI, uri.c_str());
}

} // namespace jkvm
