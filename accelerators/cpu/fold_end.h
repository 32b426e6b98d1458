/* fold_end.h -- ends the definitions of an op begun for fold_body.h. */
#undef OP
#undef ACC_OF
#undef Y_OF
#undef LOAD_OF
#undef STEP
#undef ACC_START
#undef X_NEUTRAL
#undef RESULT
