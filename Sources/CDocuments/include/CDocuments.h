#ifndef CDOCUMENTS_H
#define CDOCUMENTS_H

#include <stddef.h>

/// A file that is part of the program. Its bytes are there as long as the program runs.
typedef struct {
    const unsigned char *bytes;
    size_t count;
} embedded_file;

/// openapi.yaml.
embedded_file embedded_contract(void);
/// The same as a page, reference.html.
embedded_file embedded_reference(void);
/// The one style sheet of that page, as it stands in it.
embedded_file embedded_reference_style(void);

#endif
