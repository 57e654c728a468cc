"""The command line: one verb a file. Nothing else imports what is here."""
